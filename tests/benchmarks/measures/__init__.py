"""One file per subject; each measure gives rows of the table, under the ids that stay."""

from collections.abc import Callable

from tests.benchmarks.measures.listing import newest_failed
from tests.benchmarks.measures.replaying import long_run
from tests.benchmarks.measures.starting import start_up
from tests.benchmarks.measures.writing import many_writers, one_writer, whole_batches
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings

MEASURES: dict[str, Callable[[Settings], list[Row]]] = {
    "P1": one_writer,
    "P2": many_writers,
    "P4": whole_batches,
    "P5": long_run,
    "P7": newest_failed,
    "P13": start_up,
}
