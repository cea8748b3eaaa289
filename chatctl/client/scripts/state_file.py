"""Where a follower is in each room, in a file that outlives it: a record of JSON for each room.

A record is written in place, by one call and within one block of the disk, so that it is whole however the
process ends. A power cut may bring back an older one: then the last messages are handled again.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from pathlib import Path

from chatctl.errors import DataError, Refused
from chatctl.messages import MAX_ID
from chatctl.names import check_room

RECORD = 256  # bytes: the longest room fits, and blocks are filled without a rest
MAX_BYTES = 1 << 20
HEAD: dict[str, object] = {"chatctl": "state", "v": 1}


class StateFile:
    """Reads a file, or makes it, and keeps others from using it.

    Args:
        path: the file.

    Attributes:
        places: of each room the id that was handled last.

    Raises:
        DataError: it cannot be used, or something else uses it; nothing in it was changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.places: dict[str, int] = {}
        self._records: dict[str, int] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise self._failed("open", error) from None
        try:
            self._lock()
            self._load()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def note(self, room: str, place: int) -> None:
        """Keeps that all of a room was handled up to the id `place`.

        Raises:
            DataError: it cannot be written.
        """
        if self.places.get(room) == place:
            return
        self._write(self._records.setdefault(room, len(self._records) + 1), {"room": room, "id": place})
        self.places[room] = place

    def _write(self, number: int, record: dict[str, object]) -> None:
        data = json.dumps(record, ensure_ascii=False).encode().ljust(RECORD - 1) + b"\n"
        try:
            written = os.pwrite(self._file, data, number * RECORD)
        except OSError as error:
            raise self._failed("write", error) from None
        if written < RECORD:
            raise DataError(f"cannot write all of {self._path}")

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise self._foreign()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{self._path} is in use: another chatctl goes on from it") from None
        except OSError as error:
            raise self._failed("lock", error) from None

    def _load(self) -> None:
        data = os.pread(self._file, MAX_BYTES + 1, 0)
        if not data:
            self._write(0, HEAD)
            return
        if len(data) > MAX_BYTES or len(data) % RECORD:
            raise self._foreign()
        head, *records = (self._parse(data[start : start + RECORD]) for start in range(0, len(data), RECORD))
        if head != HEAD:
            raise self._foreign()
        for number, record in enumerate(records, 1):
            self._note_record(number, record)

    def _parse(self, data: bytes) -> object:
        try:
            value: object = json.loads(data)
        except ValueError:
            raise self._foreign() from None
        return value

    def _note_record(self, number: int, record: object) -> None:
        match record:
            case {"room": str(room), "id": int(place)} if 0 <= place <= MAX_ID and self._is_new(room):
                self.places[room] = place
                self._records[room] = number
            case _:
                raise self._foreign()

    def _is_new(self, room: str) -> bool:
        try:
            return check_room(room) == room and room not in self.places
        except Refused:
            return False

    def _foreign(self) -> DataError:
        return DataError(
            f"{self._path} is damaged, or not what --state has written; nothing in it was changed"
        )

    def _failed(self, what: str, error: OSError) -> DataError:
        return DataError(f"cannot {what} {self._path}: {error.strerror}")
