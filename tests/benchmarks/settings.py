"""What a run of the benchmarks is told: where, how long, how often, how large."""

from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """Given on the command line; ``folder`` lies on the disk that is measured."""

    folder: Path
    repeats: int
    seconds: float
    runs: int
    events: int
