"""
All real faults, each drill in a process of its own, two at a time.

What a machine does not allow is said by name, with the reason.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tests.real.drills import DRILLS
from tests.real.machine import OWN_MOUNTS, lacks
from tests.rules.sources import ROOT
from tests.torture.tally import Tally

LANES = 2
_LONGEST_S = 3600.0


def run(*, budget_s: float, seed: int = 1, names: tuple[str, ...] = ()) -> Tally:
    """Every drill, or those of ``names``, in about ``budget_s`` seconds on two cores."""
    wanted = sorted(names or DRILLS, key=lambda name: -DRILLS[name].weight)
    tally = Tally(not_run=[reason for name in wanted if (reason := not_here(name))])
    wanted = [name for name in wanted if not not_here(name)]
    whole = sum(DRILLS[name].weight for name in wanted)
    with ThreadPoolExecutor(LANES) as lanes:
        begun = [
            lanes.submit(
                drill, name, seed=seed, budget_s=budget_s * LANES * DRILLS[name].weight / whole
            )
            for name in wanted
        ]
        for each in begun:
            tally += each.result()
    return tally


def not_here(name: str) -> str:
    """Why this machine does not allow a drill, by its name; empty if it does."""
    missing = [reason for need in DRILLS[name].needs if (reason := lacks(need))]
    return f"{name}: {missing[0]}" if missing else ""


def drill(
    name: str,
    *,
    seed: int = 1,
    budget_s: float = 600.0,
    small: bool = False,
    only: tuple[str, ...] = (),
) -> Tally:
    """One drill in a process of its own; a process that breaks is a violation, too."""
    if not_here(name):
        return Tally(not_run=[not_here(name)])
    command = [sys.executable, "-m", "tests.real.drills", name, f"--seed={seed}"]
    command += [f"--seconds={budget_s}", *(["--small"] if small else [])]
    command += [f"--only={each}" for each in only]
    if {"mounts", "loop"} & set(DRILLS[name].needs):
        command = [*OWN_MOUNTS, *command]
    begun_s = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST_S)
    try:
        tally = msgspec.json.decode(done.stdout.splitlines()[-1], type=Tally)
        took_s = time.monotonic() - begun_s
        sys.stderr.write(f"real faults: {name}: {tally.faults} in {took_s:.0f} s\n")
        return tally
    except (IndexError, msgspec.DecodeError):
        said = done.stderr.strip().replace("\n", " | ")[-1500:]
        return Tally(violations=[f"{name}: the drill broke ({done.returncode}): {said}"])
