"""
Inside a pipeline: how its phases are read, ordered, run, and handed on from one to the next.

What people use is ``journal/pipeline.py``. Reading order: ``retry``, ``outputs``, ``signature``,
``plan``, ``outcomes``, ``scheduler``.
"""
