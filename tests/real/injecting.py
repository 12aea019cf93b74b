"""
Every system call of a scenario that touches the store, failing or killing, one at a time.

A first life is traced whole and says which calls there are; then each of them meets each fault
that it can meet. strace brings the fault: the process and its disk are real.
"""

import random
import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from journal.backends import lease
from tests.real.looking import (
    HIDDEN,
    CatchingUp,
    Journaling,
    MakingIndex,
    Rebuilding,
    Repairing,
    be_impatient,
)
from tests.real.oracle import Violation, must
from tests.real.scenarios import (
    Creating,
    CuttingBack,
    Deleting,
    Publishing,
    Recovering,
    Scenario,
)
from tests.real.straced import Call, Life, calls, live
from tests.real.terms import Terms
from tests.torture.tally import Tally

SCENARIOS: dict[str, type[Scenario]] = {
    "creating": Creating,
    "cutting-back": CuttingBack,
    "publishing": Publishing,
    "recovering": Recovering,
    "repairing": Repairing,
    "deleting": Deleting,
    "rebuilding": Rebuilding,
    "catching-up": CatchingUp,
    "making-index": MakingIndex,
    "journaling": Journaling,
}

_HIT = re.compile(r"\((INJECTED|DELAYED)\)")
_WRITES = frozenset({"write", "pwrite64"})
_GROWS = _WRITES | {
    "openat", "mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2",
    "ftruncate", "fallocate", "fdatasync", "fsync",
}  # fmt: skip
_WAITS = _WRITES | {"pread64", "fdatasync", "fsync", "ftruncate", "flock"}


def said(life: Life) -> str:
    """A life in one line."""
    return str(life._replace(trace=""))


class Kind(NamedTuple):
    """What strace does, to which calls (``None``: all), and what the process may be told."""

    inject: str
    calls: frozenset[str] | None
    codes: frozenset[str]
    for_good: bool = False


def _kind(inject: str, names: frozenset[str] | None, *codes: str, for_good: bool = False) -> Kind:
    return Kind(inject, names, frozenset(codes), for_good)


KINDS = {
    "KILL": _kind("signal=KILL", None),
    "EIO": _kind("error=EIO", None, "io_error"),
    "EIO+": _kind("error=EIO", None, "io_error", for_good=True),
    "ENOSPC": _kind("error=ENOSPC", _GROWS, "no_space"),
    "ENOSPC+": _kind("error=ENOSPC", _GROWS, "no_space", for_good=True),
    "EINTR": _kind("error=EINTR", _WAITS),
    "HANG": _kind("delay_enter=30000", frozenset({"fdatasync", "fsync"})),
    "ZERO": _kind("retval=0", _WRITES, "io_error"),
    "EMFILE": _kind("error=EMFILE", frozenset({"openat"}), "unavailable"),
    "EROFS": _kind("error=EROFS", frozenset({"openat", "mkdir", "rename"}), "permission_denied"),
}
ALWAYS = frozenset({"KILL", "EIO"})
MORE_MOST = 80
"""How many of the other faults a scenario meets, drawn by the seed."""

# SQLite says of a file that it cannot open or write only that: not why.
_INDEX_CODES = frozenset({"io_error", "no_space", "permission_denied", "unavailable", "locked"})


class Fault(NamedTuple):
    """One fault at one call; its text is what ``--only`` takes."""

    kind: str
    call: Call

    def __str__(self) -> str:
        return f"{self.kind}:{self.call.name}:{self.call.number}"

    @property
    def options(self) -> list[str]:
        """What strace is told."""
        name, number = self.call
        kind = KINDS[self.kind]
        when = f"{number}+" if kind.for_good else f"{number}"
        return ["-e", f"trace={name}", "-e", f"inject={name}:{kind.inject}:when={when}"]


class Bench:
    """One scenario in a folder of its own: what lies there before, and a whole life."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.scenario = SCENARIOS[name]()
        be_impatient()
        vars(lease)["ALONE_CHECK_S"] = 0.0  # what depends on the time of day cannot be counted
        self._numbers = count()
        self._template = folder / "before"
        self._template.mkdir()
        self.scenario.prepare(self._template / "store")
        # Once in here: what is imported and remembered now is not in the traces.
        shutil.copytree(self._template, folder / "warm" / "room")
        self.scenario.live(folder / "warm" / "room" / "store", lambda _: None)
        case = folder / "whole"
        self.whole = self._live(case, ["-e", "trace=all"])
        must(self.whole.finished and self.whole.told, f"without a fault: {said(self.whole)}")
        self._check(case, self.whole)
        self.calls = calls(self.whole.trace, case / "room")

    def faults(self) -> list[Fault]:
        """Each fault at each call that can meet it, in the order of the calls."""
        return [
            Fault(kind, call)
            for call in self.calls
            for kind, what in KINDS.items()
            if what.calls is None or call.name in what.calls
        ]

    def meet(self, fault: Fault) -> Life | None:
        """Live with one fault and hold what is left against the oracle; ``None``: it never came."""
        case = self.folder / f"case-{next(self._numbers)}"
        try:
            life = self._live(case, fault.options)
            if not (life.killed or self._came(case, life)):
                must(self.scenario.threads, f"the fault never came: {said(life)}")
                return None
            self._check_codes(fault, life)
            self._check(case, life)
        finally:
            shutil.rmtree(case, ignore_errors=True)
        return life

    def _came(self, case: Path, life: Life) -> bool:
        """Whether it hit the store; with threads, it alone: that number is counted for each."""
        hit = [line for line in life.trace.splitlines() if _HIT.search(line)]
        ours = [line for line in hit if str(case / "room") in line]
        return bool(ours) and (len(ours) == len(hit) or not self.scenario.threads)

    def _live(self, case: Path, options: Sequence[str]) -> Life:
        shutil.copytree(self._template, case / "room")
        work = partial(self.scenario.live, case / "room" / "store")
        threads = ["-f"] if self.scenario.threads else []
        return live(work, case, [*threads, *options])

    def _check(self, case: Path, life: Life) -> None:
        try:
            self.scenario.check(case / "room" / "store", life)
        except Violation:
            raise
        except Exception as failure:
            last = traceback.format_exc().strip().replace("\n", " | ")
            raise Violation(f"the next process fails: {last[-1500:]}") from failure

    def _check_codes(self, fault: Fault, life: Life) -> None:
        must(not life.escaped, f"escaped: {life.escaped}")
        if life.refused:
            code = life.refused.split()[0]
            codes = KINDS[fault.kind].codes
            if codes and (self.folder / "before" / "store" / "index.sqlite").exists():
                codes = _INDEX_CODES
            must(code in codes, f"refused with {life.refused}")
        if life.finished and not self.scenario.threads and HIDDEN not in life.told:
            must(life.told == self.whole.told, f"finished, but told {life.told}")


def inject(terms: Terms) -> Tally:
    """
    One scenario with all its faults: KILL and EIO at every call first, then a sample of the rest.

    The first may take twice the time on a busy machine; what that does not allow is said as not
    run. The sample is drawn by the seed.
    """
    tally, chance = Tally(), random.Random(terms.seed)
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="real-") as folder:
        bench = Bench(terms.name, Path(folder))
        faults = bench.faults()
        always = [fault for fault in faults if fault.kind in ALWAYS]
        more = [fault for fault in faults if fault.kind not in ALWAYS]
        if terms.only:
            always, more = [fault for fault in faults if str(fault) in terms.only], []
        elif terms.small:
            always, more = chance.sample(always, 10), chance.sample(more, 8)
        else:
            more = chance.sample(more, min(len(more), MORE_MOST))
        for done, fault in enumerate([*always, *more]):
            left = max(0, len(always) - done)
            if time.monotonic() - begun_s > terms.budget_s * (2 if left else 1):
                if left:
                    reason = f"{left} of {len(always)} KILL and EIO: no time"
                    tally.not_run.append(f"{terms.name}: {reason}")
                break
            try:
                life = bench.meet(fault)
            except (Violation, OSError, TimeoutError) as failure:
                tally.violations.append(terms.violation(str(fault), failure))
                continue
            if life is not None:
                tally.faults += 1
                tally.crash_states += life.killed
    return tally
