"""
What a power loss may leave of a disk: some of the unsynced chunks, some of the unsynced names.

A loss is named by a short text, ``<kept chunks, hex><fill><cut>[t<item>.<byte>]``:

- *kept*: which unsynced chunks got to the disk, by their number in ``Unsynced.items``;
- *fill*: what stands where others were lost: ``z`` zeros, ``g`` garbage (both with the file's new
  size), ``o`` what was there before (with the old size, or up to the last chunk that was kept);
- *cut*: ``3`` the first three unsynced changes of names got there, ``-2`` all but the second one;
- *t*: item ``item`` was torn: only its first ``byte`` bytes got there.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.crash.disk import Disk
from tests.crash.medium import CHUNK, ROOT_NODE, File, Folder, applied, chunks_of

SUBSETS_OF_MOST = 8
"""Up to so many unsynced chunks, every subset is tried."""

RANDOM_SUBSETS = 64

_GARBAGE = random.Random(20261122).randbytes(1 << 16)
_NAME = re.compile(r"([0-9a-f]+)([zgo])(-?[0-9]+)(?:t([0-9]+)\.([0-9]+))?")

Image = tuple[tuple[str, bytes | None], ...]
"""All that is on a disk after a power loss: path and content, ``None`` for a folder."""


class Loss(NamedTuple):
    """One way in which a power loss may go."""

    kept: int
    fill: str
    cut: int
    torn: tuple[int, int] | None = None

    def __str__(self) -> str:
        torn = "" if self.torn is None else f"t{self.torn[0]}.{self.torn[1]}"
        return f"{self.kept:x}{self.fill}{self.cut}{torn}"

    @classmethod
    def parse(cls, text: str) -> "Loss":
        """The loss of that name."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(f"no name of a loss: {text!r}")
        kept, fill, cut, item, byte = found.groups()
        torn = None if item is None else (int(item), int(byte))
        return cls(int(kept, 16), fill, int(cut), torn)


class _Layout(NamedTuple):
    folders: dict[int, dict[str, int]]
    entries: list[tuple[str, int, bytes | None]]
    open: frozenset[int]


class Unsynced:
    """What of a disk was not synced, and the disks that a power loss may make of it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        used = {change.node for change in disk.pending}
        for node in disk.nodes.values():
            if type(node) is Folder:
                used.update(node.names.values(), node.durable.values())
        self._settled: dict[int, bytes] = {}
        self._open: dict[int, list[int]] = {}
        self._shrunk = False
        self._layouts: dict[int, _Layout] = {}
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}
        self.items: list[tuple[int, int]] = []
        """Unsynced chunks: number of the file, byte where the chunk begins."""
        for number, node in disk.nodes.items():
            if not isinstance(node, File) or number not in used:
                continue
            if node.cache == node.durable:
                self._settled[number] = node.durable
                continue
            starts = chunks_of(node.dirty)
            self._open[number] = list(range(len(self.items), len(self.items) + len(starts)))
            self._shrunk |= len(node.cache) < len(node.durable) or bool(node.stale)
            self.items += [(number, start) for start in starts]

    # -- which losses there are ------------------------------------------------------------

    def losses(self, step: int = 1) -> Iterator[Loss]:
        """All ways, each once; of torn chunks every ``step``-th byte."""
        everything, changes = (1 << len(self.items)) - 1, len(self._disk.pending)
        cuts = [changes, *range(changes), *(-n for n in range(1, changes))]
        masks = list(self._masks())
        for cut in cuts if len(masks) * len(cuts) <= 512 else cuts[:1]:
            for mask in masks:
                yield from self._filled(mask, cut)
        if len(masks) * len(cuts) > 512:
            for number, cut in enumerate(cuts[1:]):
                for mask in (everything, 0, masks[number % len(masks)]):
                    yield from self._filled(mask, cut)
        yield from self._tears(everything, changes, step)

    def _masks(self) -> Iterator[int]:
        count = len(self.items)
        everything = (1 << count) - 1
        if count <= SUBSETS_OF_MOST:
            yield from range(everything, -1, -1)
            return
        seen = set()
        chance = random.Random(count)
        prefixes = [(1 << length) - 1 for length in range(count + 1)]
        but_one = [everything & ~(1 << item) for item in range(count)]
        some = [chance.getrandbits(count) for _ in range(RANDOM_SUBSETS)]
        for mask in (*prefixes, *but_one, *some):
            if mask not in seen:
                seen.add(mask)
                yield mask

    def _filled(self, mask: int, cut: int) -> Iterator[Loss]:
        if self._shrunk or mask != (1 << len(self.items)) - 1:
            for fill in "zgo":
                yield Loss(mask, fill, cut)
        else:
            yield Loss(mask, "z", cut)

    def _tears(self, everything: int, changes: int, step: int) -> Iterator[Loss]:
        for number, own in self._open.items():
            if not own:
                continue
            last = own[-1]
            first, end = self._changed(number, self.items[last][1])
            alone = sum(1 << item for item in own)
            for byte in range(first + 1, end, step):
                for kept in {everything: 0, alone: 0}:
                    for fill in "zgo":
                        yield Loss(kept, fill, changes, (last, byte))

    def _changed(self, number: int, start: int) -> tuple[int, int]:
        """From which byte of a chunk on, and up to which, disk and memory differ."""
        known = self._spans.get((number, start))
        if known is None:
            known = self._spans[number, start] = self._compared(number, start)
        return known

    def _compared(self, number: int, start: int) -> tuple[int, int]:
        node = self._disk.nodes[number]
        assert isinstance(node, File)
        new = node.cache[start : start + CHUNK]
        old = node.durable[start : start + CHUNK]
        first = next((n for n in range(min(len(new), len(old))) if new[n] != old[n]), None)
        if first is None:
            first = min(len(new), len(old))
        end = len(new)
        while first < end <= len(old) and new[end - 1] == old[end - 1]:
            end -= 1
        return first, end

    # -- what one of them leaves -----------------------------------------------------------

    def image(self, loss: Loss) -> Image:
        """All that is on the disk after ``loss``."""
        layout = self._layout(loss.cut)
        left = {number: self._left(number, loss) for number in layout.open}
        return tuple(
            (path, left[inner]) if inner in left else (path, data)
            for path, inner, data in layout.entries
        )

    def after(self, loss: Loss) -> Disk:
        """The disk after ``loss``."""
        layout = self._layout(loss.cut)
        disk = Disk()
        disk.boot = self._disk.boot + 1
        disk._next_node = self._disk._next_node
        for number, names in layout.folders.items():
            disk.nodes[number] = Folder(names, names)
        for _, number, data in layout.entries:
            if number in layout.open:
                left = self._left(number, loss)
                disk.nodes[number] = File(left, left)
            elif data is not None:
                disk.nodes[number] = File(data, data)
        return disk

    def _layout(self, cut: int) -> "_Layout":
        """Which names there are after a cut, and what of the files does not depend on the rest."""
        known = self._layouts.get(cut)
        if known is not None:
            return known
        every, folders = self._folders(cut), {}
        entries: list[tuple[str, int, bytes | None]] = []
        waiting = [("", ROOT_NODE)]
        while waiting:
            path, number = waiting.pop()
            folders[number] = every[number]
            for name, inner in every[number].items():
                entries.append((f"{path}/{name}", inner, self._settled.get(inner)))
                if inner in every:
                    waiting.append((f"{path}/{name}", inner))
        entries.sort()
        found = frozenset(inner for _, inner, _ in entries if inner in self._open)
        self._layouts[cut] = _Layout(folders, entries, found)
        return self._layouts[cut]

    def _folders(self, cut: int) -> dict[int, dict[str, int]]:
        found = {
            number: node.durable
            for number, node in self._disk.nodes.items()
            if type(node) is Folder
        }
        pending = self._disk.pending
        kept = pending[:cut] if cut >= 0 else (*pending[: -cut - 1], *pending[-cut:])
        for change in kept:
            for number in {change.folder, change.source[0] if change.source else change.folder}:
                found[number] = applied(found[number], number, change)
        return found

    def _left(self, number: int, loss: Loss) -> bytes:
        node = self._disk.nodes[number]
        assert isinstance(node, File)
        cache, durable = node.cache, node.durable
        own = self._open[number]
        size = len(cache)
        if loss.fill == "o":
            size = len(durable)
            for item in own:
                if loss.kept >> item & 1:
                    end = min(self.items[item][1] + CHUNK, len(cache))
                    if loss.torn is not None and loss.torn[0] == item:
                        end = min(end, self.items[item][1] + loss.torn[1])
                    size = max(size, end)
        data = bytearray(durable[:size].ljust(size, b"\0"))
        for item in own:
            start = self.items[item][1]
            stop = min(start + CHUNK, len(cache))
            kept = stop - start if loss.kept >> item & 1 else 0
            if loss.torn is not None and loss.torn[0] == item:
                kept = min(kept, loss.torn[1])
            if loss.fill != "o" and kept < stop - start:
                first, end = self._changed(number, start)
                self._damage(data, number, start + max(first, kept), start + end, loss.fill)
            data[start : start + kept] = cache[start : start + kept]
        for start in chunks_of(node.stale & ~node.dirty):
            if loss.fill != "o":
                first, end = self._changed(number, start)
                self._damage(data, number, start + first, start + end, loss.fill)
        return bytes(data[:size])

    def _damage(self, data: bytearray, number: int, first: int, end: int, fill: str) -> None:
        end = min(end, len(data))
        if first >= end:
            return
        if fill == "z":
            data[first:end] = bytes(end - first)
        else:
            place = (number * 7919 + first * 31) % (len(_GARBAGE) - CHUNK)
            data[first:end] = _GARBAGE[place : place + end - first]
