"""Parts of a store that cannot be looked at: the other runs are listed, and the gap is told."""

from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from projections.catchup import HiddenRunsWarning
from projections.sqlite import Index
from projections.verify import verify
from tests.projections.helpers import Writer, created
from tests.projections.indexes import statuses, visit


def test_a_link_among_the_days_hides_no_other_run_and_is_told(tmp_path: Path) -> None:
    """Case 38: runs may lie behind it; a list that says nothing of that would be a lie."""
    log, index = FilesystemLog.open(tmp_path / "store"), Index(str(tmp_path / "index.sqlite"))
    writer = Writer(log).write(created())
    writer.close()
    stranger = tmp_path / "store" / "runs" / "1999"
    stranger.symlink_to(tmp_path)
    for _ in range(2):
        with pytest.warns(HiddenRunsWarning, match="1999 is no folder of this store"):
            visit(index, log)
    assert list(statuses(index)) == [writer.run_id]
    (finding,) = verify(log, None, None)
    assert (finding.reason, finding.path) == ("no_folder", str(stranger))
    stranger.unlink()
    visit(index, log)  # says nothing any more: warnings fail a test
    later = Writer(log).write(created())
    visit(index, log)
    assert set(statuses(index)) == {writer.run_id, later.run_id}
