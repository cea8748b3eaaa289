"""What a server would have accepted: to this a message is held that comes from a file or from a server."""

from __future__ import annotations

from msgspec import structs

from chatctl.errors import DataError
from chatctl.messages import MAX_NONCE, Msg
from chatctl.names import check_name
from chatctl.text import check_text

MAX_AT = 253_402_300_799_999  # milliseconds: the end of the year 9999


def check_message(message: Msg) -> Msg:
    """Returns a message with its name in NFC; its room and its id are for the caller to check.

    Its text may be empty: it was redacted then.

    Raises:
        DataError: its time or its nonce cannot be.
        Refused: its name or its text cannot be.
    """
    name = check_name(message.name)
    if message.text:
        check_text(message.text)
    check_at(message.at)
    _check_nonce(message.nonce)
    return message if name == message.name else structs.replace(message, name=name)


def check_at(at: int) -> None:
    """Accepts a time, in milliseconds since the Unix epoch.

    Raises:
        DataError: it is before that, or too far in the future to be told.
    """
    if not 0 <= at <= MAX_AT:
        raise DataError(f"a time has 0 to {MAX_AT} milliseconds")


def _check_nonce(nonce: str | None) -> None:
    if nonce is None:
        return
    try:
        size = len(nonce.encode())
    except UnicodeEncodeError:
        raise DataError("a nonce cannot hold lone surrogates") from None
    if size > MAX_NONCE:
        raise DataError(f"a nonce has at most {MAX_NONCE} bytes")
