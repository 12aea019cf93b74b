"""
What lies beside a log under the eye of ``verify``: head, checkpoint, kept tails, orphans, the feed.

Nothing of it is truth, so none of it makes a run unreadable. But a checkpoint that does not agree
with its log would have a writer go on from what never was, and a lost watermark hides a cut.

Below: journal, findings, logrules. Above: verify.
"""

from collections.abc import Iterator
from typing import NamedTuple

from journal.artifacts.store import ArtifactStore
from journal.checkpoint import decode_memory
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId
from journal.log import EventLog, Head, HeadInfo
from projections.findings import Finding
from projections.logrules import LogRules

# Reason -> (notice or damage, what it means, the command). {0} is the run, {1} a line.
_ODD = {
    "head_missing": ("damage", "Without it a cut at the end of the log is not seen.", "repair {0}"),
    "head_damaged": ("damage", "Without it a cut at the end of the log is not seen.", "repair {0}"),
    "tail_untold": ("notice", "It was never acknowledged.", "events {0} --from {1}"),
    "tail_damaged": ("damage", "It was evidence only.", "events {0} --type log_recovered"),
    "tail_gone": ("damage", "It was evidence only.", "events {0} --type log_recovered"),
    "feed_damaged": (
        "damage",
        "Readers look at all runs at each visit until a writer, or this command, begins a new one.",
        "repair",
    ),
    "feed_missing": (
        "notice",
        "Readers look at all runs at each visit until the next writer makes one.",
        "repair",
    ),
}


class TornAt(NamedTuple):
    """A torn tail: how long, and the last whole line that it stands behind."""

    size_bytes: int
    seq: int
    position: int


def torn_tail(log: EventLog, run_id: RunId, shown: Head) -> TornAt | None:
    """
    The torn tail of a run of which readers are shown all up to ``shown``.

    Whole batches may stand between the two: written, maybe synced, and not acknowledged when their
    writer died. The next writer keeps those.
    """
    size_bytes = log.torn_bytes(run_id)
    if not size_bytes:
        return None
    position = log.extent(run_id).size_bytes - size_bytes
    whole = sum(1 for _ in log.read(run_id, shown.position, position))
    return TornAt(size_bytes, shown.seq + whole, position)


def rules_for(log: EventLog, run_id: RunId) -> LogRules:
    """The rules to walk a log under, with its checkpoint to be held against it."""
    try:
        return LogRules(decode_memory(log.get_checkpoint(run_id)))
    except StorageError:
        return LogRules()  # derived; what keeps it from being read, keeps the log, too


def broken_rules(run_id: RunId, rules: LogRules, last_seq: int) -> Iterator[Finding]:
    """What a log breaks though its chain holds; lines behind ``last_seq`` were not reached."""
    for each in rules.breaches.values():
        if each.seq > last_seq:
            continue
        more = f" ({each.count - 1} more lines do so)" if each.count > 1 else ""
        yield Finding(
            code=StorageErrorCode.VALIDATION_ERROR,
            run_id=run_id,
            seq=each.seq,
            offset=each.offset,
            reason=each.reason,
            message=f"run {run_id} line {each.seq} (byte {each.offset}): {each.what}{more}. The "
            "chain holds, so another program, or a defect, wrote it.",
            next_action=f"journal events {run_id} --from {each.seq} --to {each.seq}",
        )


def beside_log(log: EventLog, run_id: RunId, info: HeadInfo, rules: LogRules) -> Iterator[Finding]:
    """Head, checkpoint and kept tails of a run whose log was walked to its end."""
    for odd in log.oddities(run_id, rules.told):
        yield _odd(odd.reason, odd.what, odd.path, run_id, odd.seq, last=info.head.seq)
    if not info.live and rules.checkpoint is not None and not rules.checkpoint_holds:
        yield Finding(
            code=StorageErrorCode.CORRUPT,
            run_id=run_id,
            reason="checkpoint",
            message=f"run {run_id}: its checkpoint does not agree with its log. A writer would go "
            "on from what never was, or lines that were acknowledged are gone.",
            next_action=f"journal repair {run_id}",
        )


def _odd(
    reason: str, what: str, path: str, run_id: str | None, seq: int | None, *, last: int = 0
) -> Finding:
    severity, meaning, command = _ODD[reason]
    if reason == "tail_untold" and seq == last:
        command = "repair {0}"  # whoever opens the run next tells it
    subject = f"run {run_id}" if run_id else "the store"
    return Finding.model_validate(
        {
            "severity": severity,
            "code": StorageErrorCode.CORRUPT,
            "run_id": run_id,
            "seq": seq,
            "path": path,
            "reason": reason,
            "message": f"{subject}: {what}. {meaning}",
            "next_action": f"journal {command.format(run_id, seq)}",
        }
    )


def orphans(artifacts: ArtifactStore, run_id: RunId, told: set[str]) -> Iterator[Finding]:
    """Contents that no event tells: stored by a process that died before it could."""
    found = [digest for digest in artifacts.digests(run_id) if digest not in told]
    if found:
        some = ", ".join(found[:4]) + (", …" if len(found) > 4 else "")
        yield Finding(
            severity="notice",
            code=StorageErrorCode.NOT_FOUND,
            run_id=run_id,
            path=artifacts.location(run_id, found[0]),
            reason="orphan",
            message=f"run {run_id}: {len(found)} stored contents are told by no event ({some}). "
            "Nobody can ask for them; they take up space only.",
            next_action=f"journal artifacts {run_id}",
        )


def of_store(log: EventLog) -> Iterator[Finding]:
    """What is odd about the store itself."""
    for odd in log.oddities():
        yield _odd(odd.reason, odd.what, odd.path, None, None)
