"""
The vocabulary: every event that a run's log can hold.

``base`` says what an event is; ``run``, ``phase``, ``step``, ``artifact`` and ``log`` hold the
facts; ``upcast`` lifts old payloads; ``registry`` joins names and classes. The table of all of
them is ``docs/events.md``.
"""
