"""The keys that servers gave to this person, each in place of an invitation that it used up.

They are kept where only their owner can read them, by server and by the name they let in, and used where no
better one is known. None of them is needed: where they cannot be read, the server will ask.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from chatctl.client.private import alone, read, write
from chatctl.names import fold

MAX_SERVERS = 100  # of which keys are kept
MAX_NAMES = 100  # on each of them


class OwnKey(Struct, frozen=True, omit_defaults=True):
    """A key, and a hash of what led to it: who comes with that again has to use this one."""

    key: str
    instead_of: str = ""

    def __repr__(self) -> str:
        """Returns no key."""
        return "OwnKey()"


class OwnKeys:
    """A file of keys; it is made when the first one is given.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def usable(self, server: str, name: str, given: str | None) -> list[str | None]:
        """Returns the keys to come in with, the likeliest first.

        Args:
            server: its address.
            name: to come in by.
            given: the key that the person has.
        """
        own = self._load().get(server, {}).get(fold(name))
        if own is None or own.key == given:
            return [given]
        return [own.key, given] if given is None or own.instead_of == _hash(given) else [given, own.key]

    def keep(self, server: str, name: str, key: str, given: str | None) -> None:
        """Notes the key that a server gave to one who came with the key `given`.

        Raises:
            DataError: it cannot be written.
        """
        own = OwnKey(key, "" if given is None else _hash(given))
        with alone(self._path.parent):
            servers = self._load()
            keys = {**servers.pop(server, {}), fold(name): own}
            servers = dict(list(servers.items())[1 - MAX_SERVERS :])
            servers[server] = dict(list(keys.items())[-MAX_NAMES:])
            write(self._path, msgspec.json.encode(servers))

    def _load(self) -> dict[str, dict[str, OwnKey]]:
        try:
            return msgspec.json.decode(read(self._path) or b"{}", type=dict[str, dict[str, OwnKey]])
        except msgspec.DecodeError:
            return {}


def _hash(key: str) -> str:
    import hashlib

    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
