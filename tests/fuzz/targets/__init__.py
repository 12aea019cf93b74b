"""All targets by name, with their share of a campaign of a million inputs."""

from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.targets import command, files, lifted, lines, store, tails, words


class Target(NamedTuple):
    """``run`` takes any bytes and raises where something is wrong; ``share`` is in thousands."""

    run: Callable[[bytes], None]
    share: float


TARGETS = {
    "line": Target(lines.one, 390),
    "log": Target(lines.many, 60),
    "tail": Target(tails.classified, 120),
    "head": Target(files.head, 60),
    "feed": Target(files.feed, 60),
    "checkpoint": Target(files.checkpoint, 50),
    "store_json": Target(files.store_json, 40),
    "artifact": Target(files.artifact, 40),
    "upcaster": Target(lifted.lifted, 60),
    "word": Target(words.word, 110),
    "store": Target(store.damaged, 7),
    "command": Target(command.arguments, 3),
}
