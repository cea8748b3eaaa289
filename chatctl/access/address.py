"""Where the running server listens: a small file in the data directory, for the commands beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from chatctl.durable import put_file

FILE = "address.json"


class Address(Struct, frozen=True, omit_defaults=True):
    """Where a server listens.

    Attributes:
        host: the address, which may mean all of the machine.
        port: its port.
        pin: of its certificate, as `tls.pin_of` returns it; empty if it has none, or one that others know.
        tls: it offers TLS.
    """

    host: str
    port: int
    pin: str = ""
    tls: bool = False


def write(directory: Path, address: Address) -> None:
    """Leaves the address in a data directory, until `remove`.

    Raises:
        OSError: it cannot be written.
    """
    put_file(directory / FILE, msgspec.json.encode(address) + b"\n")


def read(directory: Path) -> Address | None:
    """Returns the address that is in a data directory; None if there is none, or it makes no sense.

    A server that was killed has left its own: most likely it will be there again.
    """
    try:
        return msgspec.json.decode((directory / FILE).read_bytes(), type=Address)
    except (OSError, msgspec.MsgspecError):
        return None


def remove(directory: Path) -> None:
    """Takes the address away: the server stops.

    Raises:
        OSError: it cannot be removed.
    """
    (directory / FILE).unlink(missing_ok=True)
