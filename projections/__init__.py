"""
The read side: what the events of a run mean, and how people look at them.

This is the front door. It owns the public names and nothing else. Each name is loaded on first
use. Everything in this package is derived from the logs: deleted and rebuilt at will, never
the truth. It imports `journal`; `journal` never imports it.

Next: projections/store.py (open a store to read), projections/fold.py (what a projection is).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.fold import Projection
    from projections.run_index import RunIndexRecord
    from projections.run_state import RunState
    from projections.store import Projections

    __version__: str

__all__ = [
    "Projection",
    "Projections",
    "RunIndexRecord",
    "RunState",
]

# Public name -> the module that owns it. The block above says the same to type checkers;
# tests/rules/test_front_doors.py holds the two together. `fold` is not among them: it is a module
# of this package too, and whichever was loaded last would win. (from projections.fold import fold)
_HOMES = {
    "Projection": "projections.fold",
    "Projections": "projections.store",
    "RunIndexRecord": "projections.run_index",
    "RunState": "projections.run_state",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("run-journal")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # the next lookup does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
