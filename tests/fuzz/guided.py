"""
Inputs guided by the code that they reach, with atheris: optional, for not every system has it.

atheris never gives back control, so each target has a process of its own: this module, started as a
program. New inputs that reach more code are kept in a folder that is told at the end, not in the
corpus.
"""

import importlib.util
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import corpus

MISSING = (
    "atheris is not installed, so nothing was tried: "
    "pip install atheris, or run without --coverage."
)


def all_of(targets: list[str], seconds: int) -> int:
    """Fuzz each target for so many seconds; gives 1 if anything broke, or nothing could be done."""
    if not _is_there():
        print(MISSING, file=sys.stderr)
        return 1
    failed = []
    found = Path(tempfile.mkdtemp(prefix="fuzz-found-"))
    for target in targets:
        (found / target).mkdir()
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.guided", target),
                *(f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=30"),
                *(f"-artifact_prefix={corpus.FOLDER / target}/found-", "-print_final_stats=1"),
                *(str(found / target), str(corpus.FOLDER / target)),
            ]
        )
        if ended.returncode:
            failed.append(target)
    print(f"broken: {', '.join(failed) or 'none'}; inputs that reached more code: {found}")
    return 1 if failed else 0


def _is_there() -> bool:
    try:
        return importlib.util.find_spec("atheris") is not None
    except ValueError:  # forbidden to be imported
        return False


def main() -> None:
    """Fuzz one target until atheris ends the process."""
    import atheris

    target = sys.argv.pop(1)
    with atheris.instrument_imports(include=["journal", "projections"]):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.mutate import Mutator

    pool = corpus.seeds(target) or [b""]

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        if seed % 2:
            changed: bytes = atheris.Mutate(data, size_max)
            return changed
        return Mutator(random.Random(seed), pool).change(data)[:size_max]

    atheris.Setup(sys.argv, TARGETS[target].run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
