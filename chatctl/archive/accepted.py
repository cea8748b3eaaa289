"""What a server would have accepted: to this a message is held that comes from a file or from a server."""

from __future__ import annotations

from msgspec import structs

from chatctl.errors import DataError
from chatctl.framing import check_nonce
from chatctl.messages import Msg
from chatctl.names import check_name
from chatctl.text import check_text

MAX_AT = 253_402_300_799_999  # milliseconds: the end of the year 9999


def check_message(message: Msg) -> Msg:
    """Returns a message with its name in NFC; its room and its id are for the caller to check.

    Its text may be empty: it was redacted then.

    Raises:
        DataError: its time cannot be.
        FrameError: its nonce cannot be.
        Refused: its name or its text cannot be.
    """
    name = check_name(message.name)
    if message.text:
        check_text(message.text)
    check_at(message.at)
    if message.nonce is not None:
        check_nonce(message.nonce)
    return message if name == message.name else structs.replace(message, name=name)


def check_at(at: int) -> None:
    """Accepts a time, in milliseconds since the Unix epoch.

    Raises:
        DataError: it is before that, or too far in the future to be told.
    """
    if not 0 <= at <= MAX_AT:
        raise DataError(f"a time has 0 to {MAX_AT} milliseconds")
