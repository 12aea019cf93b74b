"""How a drill is asked to run, and how it says what it saw."""

import traceback
from typing import NamedTuple

from tests.real.oracle import Violation


class Terms(NamedTuple):
    """The name of a drill, its seed, its time, and whether a sample will do."""

    name: str
    seed: int = 1
    budget_s: float = 600.0
    small: bool = False
    only: tuple[str, ...] = ()

    def violation(self, what: str, failure: BaseException) -> str:
        """One sentence with what it takes to see it again."""
        said = str(failure)
        if not isinstance(failure, Violation):
            last = "".join(traceback.format_exception(failure)).strip().replace("\n", " | ")
            said = f"the next process fails: {last[-1500:]}"
        return f"{self.name} {what}: {said} Again: {self.again(what)}"

    def again(self, what: str) -> str:
        """The command that repeats it."""
        only = f" --only {what}" if ":" in what else f" --seed {self.seed}"
        return f"python -m tests.real {self.name}{only}"
