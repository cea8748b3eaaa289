"""Passwords, as they are kept: hashed with Argon2id (RFC 9106), two at a time, for each takes much memory.

They are hashed on two threads of their own: the C library goes on holding what a thread has freed, for
those that allocate where it did, so that all sessions together would come to hold gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from chatctl.errors import Refused
from chatctl.messages import MAX_PASSWORD

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from argon2 import PasswordHasher

MIN_PASSWORD = 6  # characters
MEMORY_KIB = 19 * 1024  # of one hash; this and the passes are OWASP's first choice for servers
PASSES = 2
ASK_SECONDS = 1.0  # after which who waits for a turn is asked whether they still do
AT_A_TIME = 2

T = TypeVar("T")


def always() -> bool:
    """Says that a password is to be hashed however long that takes: for commands."""
    return True


def prepare() -> None:
    """Makes ready what the first password needs, so that it takes no longer than the others."""
    _dummy()


def _in_turn(work: Callable[[], T], wanted: Callable[[], bool]) -> T:
    """Returns what `work` returns, which is done by one of the threads that hash.

    Raises:
        Refused: ``server-full``: it is no longer wanted, or there can be no thread.
    """
    try:
        done = _workers().submit(work)
    except RuntimeError:  # No more threads can be started, or the process ends.
        raise _too_many() from None
    while True:
        try:
            return done.result(ASK_SECONDS)
        except TimeoutError:
            if not wanted() and done.cancel():  # What has begun is waited for.
                raise _too_many() from None


def _too_many() -> Refused:
    return Refused("server-full", "too many passwords are to be checked right now: try again later")


@cache
def _workers() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(AT_A_TIME, "password")


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)


@cache
def _dummy() -> str:
    """Returns the hash that is tried where there is none, so that this takes the same time."""
    return _hasher().hash("nobody's password")


def check_password(password: str) -> None:
    """Accepts a new password.

    Raises:
        Refused: ``bad-text``: it is too short, or too long, or has what a client cannot send.
    """
    if len(password) < MIN_PASSWORD:
        raise Refused("bad-text", f"a password has at least {MIN_PASSWORD} characters")
    if not _is_short(password):
        raise Refused("bad-text", f"a password has at most {MAX_PASSWORD} bytes")
    if not password.isprintable():
        raise Refused("bad-text", "a password has letters, digits, marks and spaces, and no other characters")


def _is_short(password: str) -> bool:
    if len(password) > MAX_PASSWORD:
        return False
    return len(password.encode(errors="replace")) <= MAX_PASSWORD


def hash_password(password: str, wanted: Callable[[], bool] = always) -> str:
    """Returns what to keep of a password that `check_password` accepts. Takes its time, and its turn.

    Args:
        password: to be hashed.
        wanted: asked each second while this waits for its turn, which is given up once it says no.

    Raises:
        Refused: ``server-full``: it was given up.
    """
    return _in_turn(lambda: _hasher().hash(password.encode(errors="replace")), wanted)


def is_password(password: str, kept: str | None, wanted: Callable[[], bool] = always) -> bool:
    """Returns whether `kept` was made of this password. Takes as long where nothing is kept.

    Args:
        password: as it was sent.
        kept: what `hash_password` returned.
        wanted: as in `hash_password`.

    Raises:
        Refused: ``server-full``: it was given up.
    """
    if not _is_short(password):
        return False
    right = _in_turn(lambda: _verify(_dummy() if kept is None else kept, password), wanted)
    return right and kept is not None


def _verify(kept: str, password: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return _hasher().verify(kept, password.encode(errors="replace"))
    except (Argon2Error, InvalidHashError):
        return False
