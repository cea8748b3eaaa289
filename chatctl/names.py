"""What may be a name or a room, and which names are the same or look alike (PROTOCOL.md, "Names").

`confusables.tsv` holds, for the characters a name may have, the prototypes of Unicode Technical Standard 39.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from chatctl.errors import Refused

MAX_NAME = 32  # characters
MAX_ROOM = 48  # characters
MAX_DECOMPOSED = 4  # characters that NFC makes one of, at most; much longer ones take long to bring to NFC

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
# Letters and marks that show nothing (Default_Ignorable_Code_Point), so that they could hide in a name.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)


def check_name(name: str) -> str:
    """Returns `name` in NFC, if people may have it.

    Raises:
        Refused: ``bad-name``, saying what is wrong.
    """
    return _check(name, "name", MAX_NAME)


def check_room(room: str) -> str:
    """Returns the room that `room` means: in lower case, in NFC, without one leading ``#``.

    Raises:
        Refused: ``bad-room``, saying what is wrong.
    """
    return _check(room.removeprefix("#").lower(), "room", MAX_ROOM)


def _check(value: str, what: str, limit: int) -> str:
    if len(value) > limit * MAX_DECOMPOSED:
        raise Refused(f"bad-{what}", f"a {what} has 1 to {limit} characters")
    if not _PLAIN.match(value):
        value = unicodedata.normalize("NFC", value)
        for place, character in enumerate(value):
            if not _allowed(character, first=place == 0):
                raise Refused(f"bad-{what}", f"a {what} cannot {_where(place)} {_told(character)}")
    if not 1 <= len(value) <= limit:
        raise Refused(f"bad-{what}", f"a {what} has 1 to {limit} characters")
    return value


def _where(place: int) -> str:
    return "start with" if place == 0 else "hold"


def _told(character: str) -> str:
    """Returns a character in words that anybody can read, whatever it does to a terminal."""
    if character == " ":
        return "a space"
    return f"a {character}" if "!" <= character <= "~" else f"U+{ord(character):04X}"


def _allowed(character: str, *, first: bool) -> bool:
    if character == "_":
        return True
    category = unicodedata.category(character)
    if category[0] == "L" or category == "Nd":
        return character not in _INVISIBLE
    return not first and (character in "-." or (category[0] == "M" and character not in _INVISIBLE))


def fold(name: str) -> str:
    """Returns what two spellings of the same name have in common: NFKC and case folding."""
    if name.isascii():
        return name.lower()
    return _nfkc(_nfkc(name).casefold())


def skeleton(name: str) -> str:
    """Returns what two names that look alike have in common: the TR39 skeleton, case folded."""
    prototypes = _ascii_prototypes() if name.isascii() else _prototypes()
    decomposed = unicodedata.normalize("NFD", _nfkc(name))
    return unicodedata.normalize("NFD", "".join(prototypes.get(c, c) for c in decomposed)).casefold()


def prepare() -> None:
    """Reads the table of look-alikes: when it is first needed there may be no descriptor to read it by."""
    _prototypes()


def _nfkc(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _ascii_prototypes() -> dict[str, str]:
    return {"0": "O", "1": "l", "I": "l", "m": "rn"}


@cache
def _prototypes() -> dict[str, str]:
    from importlib.resources import files

    table: dict[str, str] = {}
    for line in files("chatctl").joinpath("confusables.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            source, prototype = line.split("\t")[:2]
            table[chr(int(source, 16))] = "".join(chr(int(code, 16)) for code in prototype.split())
    return table
