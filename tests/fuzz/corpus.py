"""
The inputs that are kept: ``tests/corpus/<target>/``, seeds and whatever once broke something.

A file is named by what it shows. What a campaign finds is put beside the others, named
``found-<digest>``: the ordinary tests then fail until it is mended, and somebody gives it a name.
"""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "corpus"


def seeds(target: str) -> list[bytes]:
    """All inputs that are kept for a target, by name."""
    return [path.read_bytes() for path in files(target)]


def files(target: str) -> list[Path]:
    """The files that hold them."""
    return sorted(path for path in (FOLDER / target).glob("*") if path.is_file())


def keep(target: str, data: bytes) -> Path:
    """Keep an input that broke something."""
    path = FOLDER / target / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
