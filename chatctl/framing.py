"""Bytes to frames and back, with the caps of PROTOCOL.md; shared by server and client, no I/O.

A `FrameReader` is fed whatever the network brought, in pieces of any size, and hands out what the pieces
mean, in order: frames, and `Fault` objects for what is not one. The caller answers faults; after a fatal one
the reader takes nothing more and the caller must close the connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Generic, NoReturn, TypeVar, cast, get_args

import msgspec

from chatctl.errors import FrameError
from chatctl.messages import (
    MAX_CLIENT_FRAME,
    MAX_DEPTH,
    MAX_NONCE,
    MAX_REASON,
    MAX_SERVER_FRAME,
    VERSION,
    ClientFrame,
    Frame,
    ServerFrame,
)
from chatctl.text import one_line

_encoder = msgspec.json.Encoder()
# Possessive, and content with a string that does not end: else a line of quotes takes quadratic time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?')
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # down, and up again: -1 in a signed byte
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

F = TypeVar("F")


def encode(frame: Frame) -> bytes:
    """Returns one frame as a line of JSON."""
    return _encoder.encode(frame) + b"\n"


def encode_all(frames: Iterable[Frame]) -> bytes:
    """Returns frames as lines of JSON, in order; empty for none."""
    # Of any other iterable, msgspec 0.22 keeps the iterator for good.
    return _encoder.encode_lines(frames if isinstance(frames, list) else list(frames))


class Fault(msgspec.Struct, frozen=True):
    """Input that is no frame, in the place where it stood.

    Attributes:
        code: ``too-long``, ``bad-frame``, ``unknown-type`` or ``unsupported-version``.
        text: what is wrong, for people.
        re: the frame's ``n``, where it could be read.
        nonce: the frame's ``nonce``, where it could be read.
        fatal: the connection must be closed after the answer.
    """

    code: str
    text: str
    re: int | None = None
    nonce: str | None = None
    fatal: bool = True


class FrameReader(Generic[F]):
    """Turns the byte stream of one peer into frames.

    Args:
        language: the frames that this side receives.
        limit: bytes of one frame, at most, the line end included.
    """

    __slots__ = ("_decode", "_language", "_limit", "_tail", "stopped")

    def __init__(self, language: Language[F], limit: int) -> None:
        self._language = language
        self._decode = language.decode
        self._limit = limit
        self._tail = bytearray()
        self.stopped = False

    def feed(self, data: bytes) -> list[F | Fault]:
        """Returns the frames that `data` completes, with a fault wherever something else stood.

        A fatal fault is the last thing returned: nothing is kept of what follows it, and later calls
        return nothing.
        """
        if self.stopped:
            return []
        if b"\n" not in data:
            # However small the pieces of a long line, what is there of it is not copied for each.
            self._tail += data
            return self._feed_carefully([])
        if self._tail:
            data = b"".join((self._tail, data))
        lines = data.split(b"\n")
        self._tail = bytearray(lines.pop())
        # Each line that is a frame has a bracket of its own; this many more cannot nest too deep.
        brackets = data.count(b"[") + data.count(b"{") - self._tail.count(b"[") - self._tail.count(b"{")
        if (
            brackets < len(lines) + MAX_DEPTH
            and (data.isascii() or _is_utf8(lines))
            and len(self._tail) < self._limit
            and max(map(len, lines), default=0) < self._limit
        ):
            # The common case, flat frames: all are decoded in one sweep. Should one of them be broken or
            # blank, the sweep is given up and each line is looked at with care.
            try:
                return [self._decode(line) for line in lines]
            except (msgspec.MsgspecError, UnicodeDecodeError):
                pass
        return self._feed_carefully(lines)

    def _feed_carefully(self, lines: list[bytes]) -> list[F | Fault]:
        out: list[F | Fault] = []
        for line in lines:
            if len(line) >= self._limit:
                return self._stop(out, self._too_long())
            if not line or line.isspace():
                continue
            frame = self._language.read(line)
            if isinstance(frame, Fault) and frame.fatal:
                return self._stop(out, frame)
            out.append(frame)
        if len(self._tail) >= self._limit:
            return self._stop(out, self._too_long())
        return out

    def _too_long(self) -> Fault:
        return Fault("too-long", f"a frame has at most {self._limit} bytes, the line end included")

    def _stop(self, out: list[F | Fault], fault: Fault) -> list[F | Fault]:
        self.stopped = True
        self._tail.clear()
        out.append(fault)
        return out


class _Head(msgspec.Struct, frozen=True):
    """What a frame of any type has."""

    t: str


class Language(Generic[F]):
    """The union of frames that one side of a connection receives.

    Args:
        union: the struct types, each with its own tag.
    """

    def __init__(self, union: object) -> None:
        self._union = union
        self.types = frozenset(struct.__struct_config__.tag for struct in get_args(union))
        self.decode: Callable[[bytes], F] = msgspec.json.Decoder(union).decode

    def read(self, line: bytes) -> F | Fault:
        """Returns the frame that is one line, or what is wrong with it."""
        if line.count(b"[") + line.count(b"{") > MAX_DEPTH and depth(line) > MAX_DEPTH:
            return Fault("bad-frame", f"nested more than {MAX_DEPTH} deep")
        try:
            line.decode()
            return self.decode(line)
        except UnicodeDecodeError:
            return Fault("bad-frame", "not UTF-8")
        except msgspec.MsgspecError as error:
            return self._read_again(line, _reason(error))

    def _read_again(self, line: bytes, reason: str) -> F | Fault:
        r"""Reads a line that msgspec refuses, to say what is wrong with it.

        Lone surrogates (``\ud800``) are the one thing it refuses that is valid JSON (RFC 8259 section 8.2):
        such a frame is returned, and whoever checks its text, name or room answers with the code that
        belongs there. Not so in a long line, which only servers send: what is in it could take twenty times
        its size in memory.
        """
        if len(line) > MAX_CLIENT_FRAME:
            return self._explain_long(line, reason)
        try:
            value = json.loads(line.decode(), parse_constant=_no_constant, parse_int=_whole)
        except ValueError:
            return Fault("bad-frame", reason)
        if isinstance(value, dict):
            # No key that is known has a lone surrogate, and those that are not are ignored.
            value = {key: item for key, item in value.items() if _is_text(key)}
        try:
            return cast(F, msgspec.convert(value, type=self._union))
        except msgspec.ValidationError as error:
            return self._explain(value, _reason(error))
        except UnicodeEncodeError:  # A lone surrogate where one of a few words is expected.
            return self._explain(value, "Lone surrogates in a word of the protocol")

    def _explain(self, value: object, reason: str) -> Fault:
        """Says why a JSON value is not a frame of this language."""
        if not isinstance(value, dict):
            return Fault("bad-frame", "a frame is a JSON object")
        n, nonce, type_, version = (value.get(key) for key in ("n", "nonce", "t", "v"))
        if isinstance(nonce, str) and not _is_text(nonce):
            nonce = None
        re_ = n if type(n) is int and abs(n) < 2**53 else None
        if isinstance(type_, str) and type_ not in self.types:
            return Fault("unknown-type", "there is no such type of frame here", re=re_, fatal=False)
        if type_ == "hello" and type(version) is int and version != VERSION:
            return Fault("unsupported-version", f"this is version {VERSION} of the protocol", re=re_)
        return Fault("bad-frame", reason, re=re_, nonce=nonce if isinstance(nonce, str) else None)

    def _explain_long(self, line: bytes, reason: str) -> Fault:
        try:
            head = _read_head(line)
        except msgspec.MsgspecError:
            return Fault("bad-frame", reason)
        if head.t not in self.types:
            return Fault("unknown-type", "there is no such type of frame here", fatal=False)
        return Fault("bad-frame", reason)


_read_head = msgspec.json.Decoder(_Head).decode


def depth(line: bytes) -> int:
    """Returns how deep arrays and objects are nested in a line of JSON, strings left out."""
    steps = _STRING.sub(b"", line).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b"), initial=0))


def server_frames() -> FrameReader[ServerFrame]:
    """Returns the client's reader of what its server sends."""
    return FrameReader(_SERVER, MAX_SERVER_FRAME)


def check_nonce(nonce: str) -> None:
    """Accepts what is to be a nonce.

    Raises:
        FrameError: it is too long, or cannot be sent back.
    """
    try:
        size = len(nonce.encode())
    except UnicodeEncodeError:
        raise FrameError("a nonce cannot hold lone surrogates") from None
    if size > MAX_NONCE:
        raise FrameError(f"a nonce has at most {MAX_NONCE} bytes")


def _reason(error: msgspec.MsgspecError) -> str:
    """Returns what msgspec says is wrong; it repeats words of the frame, whatever these hold."""
    return one_line(str(error)[:MAX_REASON])


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(lines: list[bytes]) -> bool:
    try:
        b"\n".join(lines).decode()
    except UnicodeDecodeError:
        return False
    return True


def _whole(digits: str) -> int | float:
    """Reads a whole number; Python refuses to read thousands of digits, and no key takes as many."""
    return int(digits) if len(digits) <= 20 else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


CLIENT: Language[ClientFrame] = Language(ClientFrame)
_SERVER: Language[ServerFrame] = Language(ServerFrame)
