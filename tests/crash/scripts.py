"""What the lives of a campaign do, and what a process does that finds a dead one's disk."""

import random
from collections.abc import Sequence

from tests.crash.life import Step

SCRIPTS: dict[str, Sequence[Step]] = {
    "create": [("open",), ("create", 0, 10), ("create", 1, 40, 700), ("release", 1)],
    "append": [
        ("open",),
        ("create", 0, 10, 300),
        ("append", 0, 20),
        ("append", 0, 700, 30, 30),
        ("release", 0),
    ],
    "reopen": [
        ("open",),
        ("create", 0, 10),
        ("append", 0, 200),
        ("release", 0),
        ("acquire", 0),
        ("append", 0, 30, 30),
        ("append", 0, 500),
        ("release", 0),
    ],
    "checkpoint": [
        ("open",),
        ("create", 0, 10),
        ("append", 0, 200, 10),
        ("checkpoint", 0),
        ("append", 0, 20),
        ("checkpoint", 0),
        ("release", 0),
    ],
    "artifact": [
        ("open",),
        ("create", 0, 10),
        ("store", 0, 700),
        ("append", 0, 30),
        ("store", 0, 5),
        ("release", 0),
    ],
    "delete": [
        ("open",),
        ("create", 0, 10),
        ("create", 1, 10),
        ("append", 0, 30),
        ("release", 0),
        ("delete", 0),
        ("append", 1, 10),
    ],
    # As a program does it, from the recorder down.
    "writer": [
        ("open",),
        ("begin", 0),
        ("tell", 0, "a", 20, 20),
        ("keep", 0, 768),
        ("tell_many", 0, 10, 400, 10),
        ("leave", 0),
        ("rejoin", 0),
        ("tell", 0, "a", 20, 20),
        ("tell", 0, "b", 30),
        ("leave", 0),
        ("rejoin", 0),
        ("tell", 0, "a", 20, 20),
        ("tell", 0, "b", 30),
        ("leave", 0),
    ],
    "fork": [
        ("open",),
        ("begin", 0),
        ("keep", 0, 256),
        ("tell", 0, "a", 700),
        ("fork", 0, 2, 4),
        ("tell", 0, "b", 20),
        ("acquire", 2),
        ("append", 2, 30),
        ("release", 2),
    ],
    "force": [
        ("open",),
        ("create", 0, 10),
        ("append", 0, 300),
        ("seize", 0),
        ("wake", 0),
        ("append", 0, 30),
        ("release", 0),
    ],
    # A batch over more chunks than every subset of is tried.
    "wide": [("open",), ("create", 0, 10), ("append", 0, *[300] * 9), ("append", 0, 4000)],
}

AFTER: dict[str, Sequence[Step]] = {
    "again": [
        ("open",),
        ("again", 0),
        ("append", 0, 40),
        ("release", 0),
        ("again", 1),
        ("append", 1, 30),
        ("acquire", 2),
        ("append", 2, 20),
    ],
}

GOING_ON: Sequence[Step] = [
    ("release", 0),
    ("leave", 0),
    ("open",),
    ("again", 0),
    ("append", 0, 25),
    ("append", 0, 35),
    ("release", 0),
]


def script(name: str) -> Sequence[Step]:
    """The steps of that name; ``random7`` is made from the seed 7."""
    if name.startswith("random"):
        return _random(int(name.removeprefix("random")))
    return SCRIPTS.get(name) or AFTER[name]


def _random(seed: int) -> Sequence[Step]:
    chance = random.Random(seed)
    steps: list[Step] = [("open",), ("create", 0, chance.randrange(600))]
    for _ in range(chance.randrange(3, 9)):
        kind = chance.choice(["append", "append", "append", "reopen", "store", "checkpoint"])
        if kind == "append":
            sizes = [chance.randrange(900) for _ in range(chance.choice([1, 1, 2, 4]))]
            steps.append(("append", 0, *sizes))
        elif kind == "store":
            steps.append(("store", 0, chance.randrange(1200)))
        elif kind == "checkpoint":
            steps.append(("checkpoint", 0))
        else:
            steps += [("release", 0), ("acquire", 0)]
    if chance.random() < 0.5:
        steps.append(("release", 0))
    return steps
