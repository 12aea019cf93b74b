"""Runs that go on from a moment of another one: forks, salvage, and the past they carry."""
