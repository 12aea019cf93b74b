"""
The lock of a writer's queue: for moments only, and never a trap for the thread that holds it.

An event may come from anywhere, also from a finalizer or a signal handler that runs in the middle
of another event of the same thread. An ordinary lock would wait for itself there, for ever; this
one refuses. Ctrl-C is put off while it is held. Never protects a disk operation.

Below: errors, interrupts. Above: writer.
"""

import threading

from journal.errors import StorageErrorCode, storage_error
from journal.interrupts import held


class Guard:
    """
    ``with guard:`` nobody else is inside. Raises ``unavailable`` in a thread that is already.

    ``lock`` is for a condition on the same lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._inside: set[int] = set()

    def __enter__(self) -> None:
        held.__enter__()
        me = threading.get_ident()
        if me in self._inside:
            held.__exit__()
            raise storage_error(
                StorageErrorCode.UNAVAILABLE,
                "this thread is in the middle of another event: a finalizer or signal handler "
                "cannot be told in between. Nothing was written.",
                operation="append",
                reason="reentered",
                next_action="tell it from ordinary code",
            )
        self._inside.add(me)  # before the lock: what cuts in between finds itself inside as well
        self.lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self.lock.release()
        self._inside.discard(threading.get_ident())
        held.__exit__()
