"""
Crash states: their names, and the disks that the names stand for.

    <life>@<operation>=<end>[/<life>@<operation>=<end>]     append@write3=7z2/again@pread9=kill
    <life> is <script>[!<fault>]; <end> is kill[<bytes>], evict, flip<byte>.<bit> or a loss

Read: the script ``append`` ran up to its third ``write``, the power went and left ``7z2``; the next
process ran ``again`` on that up to its ninth ``pread`` and was killed.

- An operation that ends in ``.r``: a reader looked there, and synced what it was shown.
- ``kill12``: the kill came into a write, of which the first 12 bytes got into memory.
- ``evict``: a kill, and then memory was short: what a failed sync forgot is read from disk again.
- ``flip9.3``: a kill, and bit 3 of the log's byte 9 turned over, in the last acknowledged batch.
- A loss: ``losses.py``. A fault: ``faults.py``.
"""

import re
from typing import NamedTuple

from journal.backends.filesystem import FilesystemLog
from tests.crash.disk import Disk
from tests.crash.faults import Fault
from tests.crash.life import Life, Point
from tests.crash.losses import Image, Loss, Unsynced
from tests.crash.oracle import ROOT, Oracle, RunTruth, Truth
from tests.crash.scripts import GOING_ON, script
from tests.crash.writing import WritingLife

_LIFE = re.compile(r"([a-z]+[0-9]*)(?:!([a-z_*0-9.-]+))?@([a-z_]+[0-9]*)(\.r)?=(.+)")


class State(NamedTuple):
    """A moment of a life, and the way in which it ends there: a disk that somebody will open."""

    name: str
    point: Point
    end: str
    unsynced: Unsynced

    def disk(self) -> Disk:
        """The disk that is left."""
        return ended(self.point, self.end, self.unsynced)

    @property
    def image(self) -> Image | None:
        """All that is on the disk, where nothing else matters: after a power loss."""
        return None if self.is_kill else self.unsynced.image(Loss.parse(self.end))

    @property
    def is_kill(self) -> bool:
        """Whether the system went on, so that memory still holds what is not on the disk."""
        return self.end.startswith(("kill", "evict", "flip"))

    def check(self) -> list[str]:
        """What is wrong with it; empty if nothing is."""
        truth = self.point.truth
        if self.end.startswith("flip"):
            return Oracle(10).check_refused(self.disk(), flippable(truth))
        oracle = Oracle(10, old_head=self.end == "evict")
        if self.is_kill:
            oracle.check(self.disk(), truth, looking=False)
        return oracle.check(self.disk(), truth)


def begun(name: str, disk: Disk, truth: Truth, number: int, *, wanted: str | None = None) -> Life:
    """The life of that name (``<script>[!<fault>]``), lived on ``disk``."""
    steps, _, fault = name.partition("!")
    life = WritingLife(
        disk, truth, number, fault=Fault.parse(fault) if fault else None, wanted=wanted
    )
    # After an error a program lets go and tries again.
    life.live([*script(steps), *GOING_ON] if fault else script(steps))
    return life


def ended(point: Point, end: str, unsynced: Unsynced) -> Disk:
    """The disk after the life that stood at ``point`` has ended so."""
    if end == "evict":
        return point.disk.evicted()
    if end.startswith("flip"):
        byte, bit = end.removeprefix("flip").split(".")
        return _flipped(point, int(byte), int(bit))
    if end.startswith("kill"):
        disk = point.disk.copy()
        if end != "kill":
            _write_part(disk, point, int(end.removeprefix("kill")))
        return disk.killed()
    return unsynced.after(Loss.parse(end))


def flippable(truth: Truth) -> RunTruth:
    """The run whose acknowledged bytes are damaged: the first that is whole and at rest."""
    return next(run for run in truth.runs if run.exists == "yes" and not run.pending)


def _flipped(point: Point, byte: int, bit: int) -> Disk:
    disk = point.disk.killed()
    run = flippable(point.truth)
    number = disk._find(f"{FilesystemLog(ROOT, disk).folder(run.run_id)}/events.jsonl")
    node = disk._file(number)
    data = bytearray(node.cache)
    data[byte] ^= 1 << bit
    disk.nodes[number] = node._replace(cache=bytes(data), durable=bytes(data), dirty=0)
    return disk


def _write_part(disk: Disk, point: Point, size: int) -> None:
    name, arguments = point.coming or ("", ())
    getattr(disk, name)(arguments[0], bytes(arguments[1])[:size], *arguments[2:])


def rebuilt(name: str) -> tuple[State, list[str]]:
    """The state of that name, made again; and what the oracle said of the way there."""
    disk, truth, said = Disk(), Truth(), []
    state: State | None = None
    for number, part in enumerate(name.split("/"), 1):
        found = _LIFE.fullmatch(part)
        if found is None:
            raise ValueError(f"no name of a state: {name!r}")
        steps, fault, wanted, looked, end = found.groups()
        name_of_life = f"{steps}!{fault}" if fault else steps
        life = begun(name_of_life, disk, truth, number, wanted=wanted)
        operation = wanted + (looked or "")
        point = next((each for each in life.points if each.operation == operation), None)
        if point is None:
            raise ValueError(f"{part} does not exist: the operations are others by now")
        said += life.said
        state = State(name, point, end, Unsynced(point.disk))
        disk, truth = state.disk(), point.truth
    assert state is not None
    return state, said


def violations(name: str) -> list[str]:
    """What is wrong with the state of that name; empty if nothing is."""
    state, said = rebuilt(name)
    return said + state.check()
