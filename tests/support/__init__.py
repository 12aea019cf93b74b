"""Hands for the tests of the write side: disks that fail, processes that die, logs made by hand."""
