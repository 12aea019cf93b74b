"""
Hostile input: targets that take any bytes, mutators that know what a line is, and campaigns.

A target fails on anything but ``StorageError`` and on every broken invariant of its own. The
ordinary tests replay the corpus and try some thousands of inputs; ``make fuzz`` tries a million.
"""
