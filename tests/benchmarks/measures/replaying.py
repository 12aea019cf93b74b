"""
Reading back: 100,000 events of one run, every hash checked, folded into its state.

The bare loop reads the same file and decodes each line with the same typed decoder; it checks
nothing and folds nothing. sqlite3 reads the same lines out of rows, unchecked: once as one would
write it by hand (json, a dict), once with our own decoder and fold.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId
from journal.record import typed_decoder
from projections.replay import RUN_STATE
from projections.timetravel.at import fold_to
from tests.benchmarks import rivals
from tests.benchmarks.generator import Generator
from tests.benchmarks.report import OURS, RAW, Row, row
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Rounds, median, ratio, take_turns, timed


def long_run(settings: Settings) -> list[Row]:
    """P5: replay of a long run into ``RunState``."""
    root = settings.folder / "long"
    run_id = Generator(root).long_run(settings.events)
    log = FilesystemLog.open(root)
    path = Path(log.folder(run_id), "events.jsonl")
    db = _rows(settings.folder, path)
    bodies = {
        RAW: lambda _: timed(lambda: _bare_loop(path)),
        OURS: lambda _: timed(lambda: _replay(log, run_id)),
        "sqlite3, json, a dict, unchecked": lambda _: timed(lambda: _by_hand(db)),
        "sqlite3, our decoder and fold, unchecked": lambda _: timed(lambda: _our_fold(db, run_id)),
    }
    rounds = take_turns(bodies, settings.repeats, settings.folder)
    db.close()
    shutil.rmtree(root)
    what = f"replay of {settings.events:,} events, hash-checked, into RunState: events/s"
    beside = _rates(rounds)
    return [row("P5", what, beside[OURS]["of_raw"], "of a bare typed decode", beside, at_least=0.3)]


def _rates(rounds: Rounds) -> dict[str, dict[str, float]]:
    return {
        who: {
            "events_per_s": median(rounds, who, lambda sample: sample.wall_rate),
            "of_raw": ratio(rounds, who, RAW, lambda sample: sample.wall_rate),
        }
        for who in rounds
    }


def _bare_loop(path: Path) -> int:
    decode, count = typed_decoder(), 0
    with open(path, "rb") as file:
        for line in file:
            decode(line)
            count += 1
    return count


def _replay(log: FilesystemLog, run_id: RunId) -> int:
    return RUN_STATE.present(fold_to(log, run_id, log.head(run_id).head, None)).seq


def _rows(folder: Path, path: Path) -> Any:
    db = rivals.open_sqlite(folder)
    with open(path, "rb") as file:
        rivals.commit(db, (("run", seq, "", line) for seq, line in enumerate(file, 1)))
    return db


def _by_hand(db: Any) -> int:
    phases: dict[str, dict[str, Any]] = {}
    count = 0
    for (body,) in db.execute("SELECT body FROM events WHERE run_id = 'run' ORDER BY seq"):
        line = json.loads(body)
        count += 1
        event, data = line["event"], line["data"]
        if event == "phase_progress":
            phases[line["phase"]] |= {"done": data["done"], "total": data["total"]}
        elif event == "phase_started":
            phases[line["phase"]] = {"status": "running", "revision": data["revision"]}
        elif event == "phase_completed":
            phases[line["phase"]]["status"] = "completed"
    return count


def _our_fold(db: Any, run_id: RunId) -> int:
    decode, state = typed_decoder(), RUN_STATE.initial(run_id)
    apply: Callable[..., object] = RUN_STATE.apply
    for (body,) in db.execute("SELECT body FROM events WHERE run_id = 'run' ORDER BY seq"):
        apply(state, decode(body))
    return RUN_STATE.present(state).seq
