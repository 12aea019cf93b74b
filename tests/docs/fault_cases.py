"""
What can go wrong, case by case, and what the journal does then: rows of docs/reliability.md.

A number, once given, keeps its meaning: tests name it. A new case goes to the end of the last
group, under the next number. ``outcome`` is short; a code of ``StorageError`` stands in backticks.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """One thing that can happen, and what the journal does then."""

    happens: str
    outcome: str


SET_ASIDE = "recovers; the bytes are set aside, `log_recovered` tells it"
CORRUPT = "refused: `corrupt`"
REBUILT = "rebuilt from the logs"

GROUPS: dict[str, dict[int, Case]] = {
    "Crashes, and disks that fail": {
        1: Case("a kill or a power loss at any operation", "recovers"),
        2: Case("another one in the middle of recovery", "recovers, as if it were the first"),
        3: Case("the log ends anywhere inside the last batch", SET_ASIDE),
        4: Case("any of the unsynced sectors hold zeros, old bytes or garbage", SET_ASIDE),
        5: Case("a later line of the same batch survived an earlier one", SET_ASIDE),
        6: Case("a whole line of a later batch stands behind damage", CORRUPT),
        7: Case(
            "the file grew, its data never came",
            "recovers up to one batch past the last whole one, else `corrupt`",
        ),
        8: Case("a log of 0 bytes, which no crash leaves", CORRUPT),
        9: Case(
            "the data reached the disk, the run's name did not",
            "the run is absent, and was never acknowledged",
        ),
        10: Case(
            "a sync fails", "`io_error`, then `closed` until it is opened again; never a retry"
        ),
        11: Case(
            "a kill after a failed sync, an opening, then a power loss",
            "nothing that a reader was shown is gone",
        ),
        12: Case("any other operation fails with EIO", "refused: `io_error`"),
        13: Case(
            "the disk is full in the middle of a write",
            "`no_space`; the part is cut off, and the writer goes on if that worked",
        ),
        14: Case("a file reaches the largest size allowed", "`no_space`, likewise"),
        15: Case("interrupted and short writes, of any length", "gone on with"),
        16: Case(
            "no descriptors, no memory, no permission, a read-only disk",
            "refused by a code of its own, nothing half done",
        ),
        17: Case("a sync never returns", "who waits may give up; nothing is acknowledged"),
        18: Case(
            "a writer died between write and sync, and its bytes can be read",
            "they are synced before they are shown or built upon",
        ),
        19: Case("the disk is full when a run is opened", "refused: `no_space`; reading works"),
        20: Case(
            "the log is gone, its folder or the index knows it", "`not_found`, never made anew"
        ),
    },
    "Damage, and input that is malformed": {
        21: Case("any bit of a finished log is flipped", CORRUPT),
        22: Case(
            "any bit of an unfinished log is flipped",
            "`corrupt` up to the watermark; past it set aside and told",
        ),
        23: Case("the first line is damaged", CORRUPT),
        24: Case(
            "lines doubled, missing or swapped; a seq with a gap, again, 0, negative", CORRUPT
        ),
        25: Case(
            "the log is cut between two lines",
            "`corrupt` by the watermark; without one it cannot be seen",
        ),
        26: Case("a line or a whole log of another run", CORRUPT),
        27: Case("a block holds old content of the same log, once valid", CORRUPT),
        28: Case(
            "not UTF-8, lone surrogates, a byte order mark, UTF-16, CRLF", "`serialization_error`"
        ),
        29: Case("a key twice, also when spelled with escapes", "`serialization_error`"),
        30: Case("NaN, Infinity, 1e999", "`serialization_error`"),
        31: Case("integers past 64 bit", "`validation_error`"),
        32: Case("nesting past 64 levels", "`validation_error`"),
        33: Case("a line over the cap", "`limit_exceeded`, in constant memory"),
        34: Case(
            "an empty line, a number, a list, wrong types, trailing bytes", "`validation_error`"
        ),
        35: Case("U+2028 and other separators inside texts", "kept; a line ends at its newline"),
        36: Case(
            "an event that this version does not know; a format that it does not know",
            "kept and shown; `unsupported_format`",
        ),
        37: Case(
            "a caller hands in NaN, surrogates, bytes, cycles",
            "`validation_error` before a byte is written",
        ),
        38: Case(
            "a link, pipe, folder or device in the place of a file", "refused, never followed"
        ),
        39: Case("a sparse file that claims terabytes", "refused after bounded work"),
    },
    "Several writers, readers, processes": {
        40: Case("two writers of one run", "the second gets `locked` after `wait_s`"),
        41: Case("the holder of the lock is killed", "free at once; no file's content decides"),
        42: Case("the holder is stopped", "`locked`; only force takes it over"),
        43: Case(
            "the old writer wakes after a takeover",
            "refused before it writes; bytes of its that land are `corrupt`",
        ),
        44: Case("the lock file is replaced", "noticed; the writer is refused"),
        45: Case("the process forks", "the child is refused"),
        46: Case("threads append", "one order, each thread's own kept"),
        47: Case("a reader meets half a line of a living writer", "not shown yet; no damage"),
        48: Case("repair, recovery or delete of a run that is written", "refused: `locked`"),
        49: Case("the store lies on a network or FUSE file system", "a warning on opening"),
    },
    "Cancellation": {
        50: Case("an append is cancelled before it is queued", "nothing is written"),
        51: Case("an append is cancelled after that", "it lands; its key finds it"),
        52: Case("an append is cancelled at any await", "whole or not at all"),
        53: Case("the loop ends with appends pending", "written or refused, never a hang"),
        54: Case(
            "an append is tried again under its key", "the first seq; `conflict` if it differs"
        ),
        55: Case("the disk is slower than the caller", "callers wait; the queue is bounded"),
    },
    "Time": {
        56: Case("the clock goes back, forward, to 1970 or 9999", "the order is that of seq"),
        57: Case("hosts disagree about the time", "kept as it was read, never compared"),
    },
    "The index": {
        58: Case("it is deleted", REBUILT),
        59: Case("it holds zeros or garbage, is cut off, or is a folder", REBUILT),
        60: Case("it holds wrong rows", "`journal verify` names them"),
        61: Case(
            "it is of an older or a newer schema", "rebuilt; a newer one `unsupported_format`"
        ),
        62: Case("it is ahead of the log", "told as a loss, not mended away"),
        63: Case("it is behind the log", "caught up; twice does no harm"),
        64: Case("a kill or a full disk in any statement", "appends stay; the index is behind"),
        65: Case("it is locked or read-only", "answers all the same, from memory"),
        66: Case("a rebuild is killed", "the old index stays, whole"),
        67: Case("it was rebuilt, or grew event by event", "the same, row for row"),
    },
    "Artifacts": {
        68: Case(
            "stored, and its event was not", "no reader sees it; it is kept, and serves when told"
        ),
        69: Case("its event is there, the file is gone", "`not_found` on reading; replay goes on"),
        70: Case("its bytes were altered", "`corrupt` before they are handed out"),
        71: Case("a kill while it is stored", "a temporary file at most, swept later"),
        72: Case("the same content twice at once", "one file"),
        73: Case("the same content is there already, damaged", "noticed and replaced"),
        74: Case("the source changes while it is stored", "what was stored is what was hashed"),
        75: Case("no bytes at all, very many, hostile file names", "stored; names are only told"),
    },
    "Names and sizes": {
        76: Case(
            "ids and names with `..`, `/`, NUL, 256 bytes, `CON`, twins in case or Unicode",
            "`validation_error`",
        ),
        77: Case("very many runs, very many events in one", "bounded memory"),
        78: Case("a long log is opened", "costs its tail, not its length"),
    },
    "And besides": {
        79: Case("the folder of a living run is copied", "recovers or `corrupt`, never half"),
        80: Case("a folder bears another name than its run", CORRUPT),
        81: Case("a wide umask; a store of another user", "private files; `permission_denied`"),
        82: Case("the way out of an error fails itself", "the original is as it was"),
        83: Case("`python -O`", "every check stays"),
        84: Case("an error is pickled, printed, sent on", "whole, as JSON, without any payload"),
        85: Case(
            "a backup or snapshot is put back",
            "cannot be seen from inside; a head pinned elsewhere shows it",
        ),
    },
}

CASES: dict[int, Case] = {
    number: case for group in GROUPS.values() for number, case in group.items()
}

SECURITY: dict[str, Case] = {
    "names": Case("an id, a name or a digest that leads elsewhere", "parsed once, then trusted"),
    "links": Case(
        "a link or a device where a file should be", "no link followed, plain files only"
    ),
    "modes": Case("other users of the machine", "folders 0700, files 0600"),
    "bounds": Case("input without end", "line, depth, batch, queue, artifact, page: all bounded"),
    "errors": Case("errors, which go into reports and tickets", "hold no byte of a payload"),
    "secrets": Case("a key or token in a payload", "redacted before it is hashed and stored"),
    "code": Case("a log or artifact that wants to be run", "no pickle, no eval, no class by name"),
    "sql": Case("values that want to be SQL", "handed over as parameters"),
    "terminal": Case("control, ANSI and bidi characters", "made visible on a terminal"),
    "csv": Case("cells that a spreadsheet would run", "nothing of ours writes CSV"),
    "keys": Case("keys that a run needs", "stay outside; recorded by name, supplied again"),
    "dependencies": Case("code of others", "few, and exact versions for development"),
}
"""
By the word that a test's docstring names: ``Security, terminal: …``. One that names none counts
for "and besides". The viewer's part of the list comes with the viewer.
"""
