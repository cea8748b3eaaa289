"""What was kept for an account while it was away, on its way to one of its devices.

It is forgotten once the device has shown that it has it: by answering a ping that was sent behind it. Until
then every device that comes gets it, so that nothing is lost, though it may come twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from chatctl.access.mail import Mail
from chatctl.messages import Frame, Ping

PAGE = 64 * 1024  # characters sent before waiting for the client


class Postbox:
    """The mail of an account, as one device gets it. Thread-safe.

    Args:
        mail: keeps it.
        account: whose it is, folded.
        send: sends frames to the device, without waiting.
    """

    __slots__ = ("_account", "_asked", "_lock", "_mail", "_send", "_sent")

    def __init__(self, mail: Mail, account: str, send: Callable[[Sequence[Frame]], None]) -> None:
        self._mail = mail
        self._account = account
        self._send = send
        self._lock = threading.Lock()  # whoever has it is sending
        self._asked = False  # there may be something to send
        self._sent = 0  # the number up to which the device was sent it

    def deliver(self, caught_up: Callable[[], bool] | None = None) -> int:
        """Sends what the device was not sent yet.

        Args:
            caught_up: waits between pages until the device has one; None sends all at once.

        Returns:
            What `confirm` is to be called with once the device has it; 0 if that is nothing new.

        Raises:
            StorageError: it cannot be read, and stays where it is.
        """
        self._asked = True
        sent = 0
        # Nobody waits for whoever is sending, which may take long: that one looks again afterwards.
        while self._asked and self._lock.acquire(blocking=False):
            try:
                self._asked = False
                sent = self._send_waiting(caught_up) or sent
            finally:
                self._lock.release()
        return sent

    def _send_waiting(self, caught_up: Callable[[], bool] | None) -> int:
        assert self._lock.locked()
        letters, number = self._mail.waiting(self._account, self._sent)
        size = 0
        for letter in letters:
            size += len(letter.text)
            if size > PAGE and caught_up:
                if not caught_up():
                    return 0
                size = 0
            self._send([letter])
        if letters:
            self._sent = number
            self._send([Ping(number)])
        return number if letters else 0

    def confirm(self, number: int) -> None:
        """Forgets what was sent up to the ping with this number, which the device has answered.

        Raises:
            StorageError: it cannot be written; it will come once more.
        """
        if 0 < number <= self._sent:
            self._mail.drop(self._account, number)
