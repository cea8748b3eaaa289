"""What a person's client keeps between its runs, in files that only they can read.

Where they were in each room, and whom they ignore. None of it is needed: where it cannot be read the client
begins anew, where it cannot be written it says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from chatctl.client.private import read, write
from chatctl.errors import DataError
from chatctl.names import fold

MAX_SERVERS = 100  # of which is known where one was
MAX_ROOMS = 500  # of each of them
SAVE_SECONDS = 3.0  # between two times at which it is written where one is


class Spot(Struct, array_like=True, frozen=True):
    """Where one was in a room: the last message seen, and when that was, in milliseconds since the epoch."""

    id: int
    at: int


class LastSeen:
    """Where one was in the rooms of one server.

    Args:
        path: of the file; None if it is not kept.
        server: its address.
        clock: returns seconds, from any start.
    """

    def __init__(self, path: Path | None, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._server = server
        self._clock = clock
        self._spots = self._load().get(server, {})
        self._changed: dict[str, Spot] = {}
        self._saved_at = clock()
        self._told = False  # that it cannot be written

    def get(self, room: str) -> Spot | None:
        """Returns where one was in a room last, in this run or an earlier one."""
        return self._spots.get(room)

    def note(self, room: str, spot: Spot) -> None:
        """Notes where one is now."""
        self._spots[room] = self._changed[room] = spot

    def save(self, *, now: bool = False) -> None:
        """Writes it, if there is something new and the last time is long enough ago, or else `now`.

        Raises:
            DataError: in one line, why it cannot be written; not again, until it could be.
        """
        if (
            self._path is None
            or not self._changed
            or not (now or self._clock() - self._saved_at >= SAVE_SECONDS)
        ):
            return
        self._saved_at = self._clock()
        try:
            write(self._path, msgspec.json.encode(self._merged()), lasting=False)
        except DataError:
            told, self._told = self._told, True
            if not told:
                raise
        else:
            self._changed.clear()
            self._told = False

    def _merged(self) -> dict[str, dict[str, Spot]]:
        """Returns what is to be written: another client may have written since."""
        servers = self._load()
        before = servers.pop(self._server, {})
        spots = {room: spot for room, spot in before.items() if room not in self._changed} | self._changed
        kept = dict(list(servers.items())[1 - MAX_SERVERS :])
        return kept | {self._server: dict(list(spots.items())[-MAX_ROOMS:])}

    def _load(self) -> dict[str, dict[str, Spot]]:
        data = read(self._path) if self._path else b""
        try:
            return msgspec.json.decode(data or b"{}", type=dict[str, dict[str, Spot]])
        except msgspec.DecodeError:
            return {}


class Ignored:
    """The people whose words are not shown, by their names in any spelling.

    Args:
        path: of the file, a name on each line; None if they are not kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._names = self._load()
        self._renamed: set[str] = set()  # what they are called by now, folded

    def __contains__(self, name: str) -> bool:
        return bool(self._names) and (fold(name) in self._names or fold(name) in self._renamed)

    def follow(self, name: str, new: str) -> None:
        """Notes that `name` is called `new`, if they are ignored; for this run only."""
        if name in self:
            self._renamed.add(fold(new))

    def names(self) -> list[str]:
        """Returns their names, as they were typed."""
        return sorted(self._names.values())

    def add(self, name: str) -> None:
        """Hides what `name` says, from now on and in later runs.

        Raises:
            DataError: it cannot be written; it is true for this run.
        """
        self._names[fold(name)] = name
        self._save(self._load() | {fold(name): name})

    def remove(self, name: str) -> bool:
        """Shows `name` again; returns whether they were ignored.

        Raises:
            DataError: as `add`.
        """
        self._renamed.clear()
        if self._names.pop(fold(name), None) is None:
            return False
        self._save({other: spelled for other, spelled in self._load().items() if other != fold(name)})
        return True

    def _load(self) -> dict[str, str]:
        """Returns what is in the file: another client may have written since."""
        lines = read(self._path).decode(errors="replace").splitlines() if self._path else []
        return {fold(name): name for name in map(str.strip, lines) if name}

    def _save(self, names: dict[str, str]) -> None:
        if self._path:
            write(self._path, "".join(f"{name}\n" for name in sorted(names.values())).encode())
