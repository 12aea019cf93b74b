"""
Artifacts: what a run produced, kept as bytes under their digest.

``store`` is the port and what people see of an artifact; ``memory`` is the model and
``filesystem`` keeps the bytes inside the run's own folder; ``codec`` turns payloads into bytes
and back; ``transfer`` does both off the event loop. An artifact is stored first and told
afterwards: the events are in ``events/artifact.py``.
"""
