"""
What performance looks like without a clock: syncs per batch, bytes per opening, query plans.

The times themselves are measured by `make bench`; no test here can fail because a machine is slow.
"""
