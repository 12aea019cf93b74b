"""
One log per released version, read in every test run; only ever added to.

``python -m tests.golden.story > tests/golden/vX.Y.Z.jsonl`` writes the one of the version at hand.
"""
