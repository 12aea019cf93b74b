"""
How fast it is, beside the disk's own limit and beside plain sqlite3.

`make bench` runs it; how to read the figures stands in docs/performance.md. Nothing in here is a
timed test: what does not depend on time is tested in tests/shape/.

Next: workload.py (what is written), generator.py (whole stores), measures/ (one file per subject).
"""
