"""
Every bound, with its reason. A program without bounds fails where it is least expected.

Units stand last in each name. Below: nothing. Above: everything.
"""

from typing import Final

FORMAT: Final = 1
"""The line format's number. Part of the first hash of a chain and of every opening event."""

LINE_BYTES_MAX: Final = 1024 * 1024
"""Longest line a writer makes, newline included. Longer text belongs in an artifact."""

LINE_BYTES_MAX_READ: Final = 16 * LINE_BYTES_MAX
"""Longest line a reader takes: room for other writers, and a bound on memory for a damaged log."""

DEPTH_MAX: Final = 64
"""Deepest nesting of one line: the stdlib's json gives up near 1,000, other parsers far earlier."""

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1
"""What a 64-bit integer holds, signed or unsigned: others round silently past it."""

BATCH_LINES_MAX: Final = 16_384
"""Most lines of one batch, the unit that is synced and recovered as a whole."""

BATCH_BYTES_MAX: Final = 8 * LINE_BYTES_MAX
"""Most bytes of one batch. Also the longest tail that a crash can tear: more is damage."""

QUEUE_LINES_MAX: Final = 20_000
"""Most events of one run that wait for the disk: two rounds of 10,000 emitted ones."""

QUEUE_BYTES_MAX: Final = 32 * LINE_BYTES_MAX
"""Most bytes that wait: memory stays bounded when lines are long and the disk is slow."""

EMIT_DELAY_S: Final = 0.05
"""How long an emitted event may wait for company before it is written on its own."""

KEYS_REMEMBERED: Final = 10_000
"""Idempotency keys that an opened run remembers: the most recent ones."""

KEY_BYTES_MAX: Final = 256
"""Longest idempotency key: a UUID, a URL, a digest fit; a document does not."""

CHECKPOINT_EVENTS: Final = 8_192
"""Events between checkpoints: opening a log reads at most about this many lines."""

CHECKPOINT_BYTES_MAX: Final = 64 * LINE_BYTES_MAX
"""Longest checkpoint that a reader takes."""

HEAD_BYTES: Final = 256
"""Size of ``head``: inside one sector and one page, so that a write of it is rarely torn."""

MESSAGE_CHARS_MAX: Final = 2_000
"""Longest ``message``: one human sentence, or a log line."""

TRACEBACK_CHARS_MAX: Final = 32_768
"""Longest traceback kept with an error: the end of it, which names the cause."""

ERROR_TEXT_CHARS_MAX: Final = 2_000
"""Longest text inside an error."""

SECRET_CHARS_MASKED: Final = 6
"""Shortest secret that is also taken out of the message beside it: a shorter one may be a word."""

NAME_CHARS_MAX: Final = 64
"""Longest project, phase or role name: short enough for a column and a file name."""

PARTITION_BYTES_MAX: Final = 128
"""Longest partition label, in UTF-8."""

LABEL_BYTES_MAX: Final = 256
"""Longest free label: actor, external id, artifact id, step name."""

LOCK_RETRY_S: Final = 0.1
"""``acquire`` tries this long even at ``wait_s=0``: a probe holds the lock for a moment."""

ALONE_CHECK_S: Final = 0.05
"""How often a busy writer looks whether lock, log and epoch are still its own: at each append this
would cost 40% of the rate. Whether the log has its own length it sees at each."""

WORKERS_MAX: Final = 16
"""Threads that sync side by side. Measured: 16 files in parallel sync 2.6x as often as one."""

LINES_READ_BYTES: Final = 64 * 1024
"""How much of a log is read at once: what stays in the processor's cache beside its lines."""

READ_BYTES: Final = 256 * 1024
"""How much is read from a file at once."""

FEED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Most of the feed that is read at once; who is further behind reads it in parts."""

ARTIFACT_BYTES_MAX: Final = 64 * 1024**3
"""Largest artifact: a payload without an end stops here, before the disk does."""

UNKNOWN_NAMES_MAX: Final = 10
"""Names of unknown events that a state keeps: enough to see what is missing."""

TORN_TAIL_BYTES_MAX: Final = BATCH_BYTES_MAX
"""Longest tail that recovery sets aside: one batch, because the next waits for its sync."""

PHASES_AT_ONCE: Final = 16
"""Phases and partitions of one pipeline that work at once, where it does not say how many."""
