"""
What a writer could not write: how it says so, and what of it nobody has heard yet.

Who awaits a receipt hears of its loss, and who leaves the run of what nobody awaited: kept until
then, and bounded.

Below: errors, log. Above: receipt, writer.
"""

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.log import Lease

LOSSES_MAX = 100
"""Most unseen failures that are kept: a disk may stay full for a million appends."""


class Loss:
    """Why events did not get to the disk, shared by all receipts for them: seen by one is seen."""

    __slots__ = ("error", "seen")

    def __init__(self, error: StorageError) -> None:
        self.error = error
        self.seen = False


class Losses:
    """The failures of one writer that nobody has seen: the first ones and the last. Not locked."""

    def __init__(self) -> None:
        self._kept: list[Loss] = []
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, error: StorageError) -> Loss:
        """Keep a new one."""
        loss = Loss(error)
        if len(self._kept) >= LOSSES_MAX:
            self._kept = [other for other in self._kept if not other.seen]
        if len(self._kept) >= LOSSES_MAX:
            self._kept.pop()
            self._dropped += 1
        self._kept.append(loss)
        return loss

    def raise_unseen(self) -> None:
        """Raise the first that nobody has seen, once, with a note of how many more there are."""
        unseen = [loss for loss in self._kept if not loss.seen]
        if not unseen:
            return
        self._kept.clear()
        more = len(unseen) - 1
        count = f"up to {more + self._dropped}" if self._dropped else f"{more}"
        if more:
            unseen[0].error.add_note(f"run-journal: {count} more failures were seen by nobody")
        raise unseen[0].error


def refused(lease: Lease, backend: str, why: str, reason: str) -> StorageError:
    """``closed``: nothing of this was or will be written."""
    return storage_error(
        StorageErrorCode.CLOSED,
        f"run {lease.run_id}: {why}. Nothing was written.",
        operation="append",
        run_id=lease.run_id,
        seq=lease.head.seq,
        backend=backend,
        reason=reason,
        next_action=f"journal resume {lease.run_id}",
    )


def broken_off(lease: Lease, backend: str, failure: BaseException) -> StorageError:
    """``io_error``: nobody knows how much of the batch got to the disk."""
    error = storage_error(
        StorageErrorCode.IO_ERROR,
        f"run {lease.run_id}: writing broke off ({type(failure).__name__}). What was "
        "acknowledged is untouched.",
        operation="append",
        run_id=lease.run_id,
        seq=lease.head.seq,
        backend=backend,
        reason="broken",
        next_action=f"journal resume {lease.run_id}",
    )
    error.__cause__ = failure
    return error
