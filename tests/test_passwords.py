"""Passwords: which will do, and that what is kept of them tells nobody."""

from __future__ import annotations

import threading

import pytest

from chatctl.access import passwords
from chatctl.access.passwords import check_password, hash_password, is_password
from chatctl.errors import Refused


@pytest.mark.parametrize(
    "password", ["sixsix", "x" * 1_024, "\u00e9" * 512, "  spaces  ", "\U0001f600" * 256]
)
def test_what_will_do(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    "password", ["", "fives", "x" * 1_025, "\u00e9" * 513, "\U0001f600" * 257, "with\ttab", "\udcff" * 8]
)
def test_what_will_not(password: str) -> None:
    with pytest.raises(Refused) as caught:
        check_password(password)
    assert caught.value.code == "bad-text"
    assert password not in str(caught.value) or not password


def test_it_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("secret"), hash_password("secret")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


@pytest.mark.parametrize("password", ["secret", "\u00e9clair", "\ud800 alone", "x" * 1_024])
def test_only_the_same_password_is_right(password: str) -> None:
    kept = hash_password(password)
    assert is_password(password, kept)
    assert not is_password(password + " ", kept)
    assert not is_password("", kept)


@pytest.mark.parametrize("kept", [None, "", "nonsense", "$argon2id$v=19$m=1,t=1,p=1$broken"])
def test_without_a_hash_nothing_is_right(kept: str | None) -> None:
    assert not is_password("secret", kept)
    assert not is_password("nobody's password", kept)


def test_what_is_too_long_is_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("it was hashed")

    monkeypatch.setattr(passwords, "_hasher", fail)
    assert not is_password("x" * 1_025, None)
    assert not is_password("\u00e9" * 513, None)
    assert not is_password("x" * 10_000_000, None)


def hash_at_once() -> list[threading.Thread]:
    """Has six threads hash a password; returns them, ended."""
    threads = [threading.Thread(target=hash_password, args=("secret",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return threads


def test_two_threads_hash_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed_by: set[threading.Thread] = set()

    class Noting:
        def hash(self, _password: bytes) -> str:
            hashed_by.add(threading.current_thread())
            return "hash"

    monkeypatch.setattr(passwords, "_hasher", Noting)
    threads = hash_at_once()
    assert 1 <= len(hashed_by) <= 2
    assert not hashed_by.intersection(threads)


def test_where_no_thread_can_be_started_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    passwords._workers.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(Refused) as caught:
        hash_password("secret")
    assert caught.value.code == "server-full"
    passwords._workers.cache_clear()


def test_two_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    lock, all_there = threading.Lock(), threading.Barrier(2)

    class Slow:
        def hash(self, _password: bytes) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            all_there.wait(10)  # Two at once are let in, so that both can go on.
            with lock:
                running -= 1
            return "hash"

    monkeypatch.setattr(passwords, "_hasher", Slow)
    hash_at_once()
    assert (running, most) == (0, 2)
