"""Tests of run-journal; what each folder holds is said in CONTRIBUTING.md."""
