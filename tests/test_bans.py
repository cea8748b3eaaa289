"""Bans and mutes: whom they hold for, and for how long, by a clock that the test moves."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.access import bans
from chatctl.access.bans import covers, is_range
from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.messages import MAX_BANS_LISTED, MAX_WHOM, Ban
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> AccessBook:
    return AccessBook(None, clock)


def ban(book: AccessBook, whom: str, what: bans.What = "ban", seconds: int | None = None) -> Ban:
    return book.bans.put(what, whom, by="ann", seconds=seconds, reason="spam")


def holds(book: AccessBook, name: str = "", address: str = "", what: bans.What = "ban") -> bool:
    return book.bans.find(what, name, address) is not None


def test_there_are_none(book: AccessBook) -> None:
    assert not book.bans.has_any("ban")
    assert book.bans.all() == []
    assert not holds(book, "bob", "10.0.0.1")


def test_what_is_kept(book: AccessBook) -> None:
    put = ban(book, "Bob", seconds=60)
    assert put == Ban("ban", "Bob", "ann", 5_000_000, 5_060_000, "spam")
    assert book.bans.find("ban", "bob", "") == put
    assert book.bans.all() == [put]
    assert book.bans.has_any("ban")
    assert not book.bans.has_any("mute")


# Names


@pytest.mark.parametrize("name", ["bob", "BOB", "b0b", "\uff42\uff4f\uff42", "\u042cob", "\uff22ob"])
def test_one_of_a_name_holds_for_what_looks_like_it(book: AccessBook, name: str) -> None:
    ban(book, "bob")
    assert holds(book, name)


def test_it_holds_for_nobody_else(book: AccessBook) -> None:
    ban(book, "bob")
    assert not holds(book, "bobby")
    assert not holds(book, "", "10.0.0.1")
    assert not holds(book, "bob", what="mute")


def test_one_in_place_of_another(book: AccessBook, clock: Clock) -> None:
    ban(book, "bob", seconds=10)
    clock.now += 5
    ban(book, "B0B")
    assert [(kept.whom, kept.until) for kept in book.bans.all()] == [("B0B", None)]
    ban(book, "bob", "mute")
    assert [(kept.what, kept.whom) for kept in book.bans.all()] == [("ban", "B0B"), ("mute", "bob")]


# Ranges


@pytest.mark.parametrize(
    ("whom", "shown", "inside", "outside"),
    [
        ("10.0.0.1", "10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "::1", "::a00:1"]),
        ("10.0.0.77/24", "10.0.0.0/24", ["10.0.0.0", "10.0.0.255", "::ffff:10.0.0.9"], ["10.0.1.0"]),
        ("10.0.0.0/255.255.0.0", "10.0.0.0/16", ["10.0.255.1"], ["10.1.0.1"]),
        ("::ffff:10.0.0.1", "10.0.0.1", ["10.0.0.1", "::ffff:a00:1"], ["10.0.0.2"]),
        ("::ffff:10.0.0.0/120", "10.0.0.0/24", ["10.0.0.7", "::ffff:10.0.0.7"], ["10.0.1.7"]),
        ("2001:db8::5/64", "2001:db8::/64", ["2001:db8::ffff"], ["2001:db8:0:1::", "10.0.0.1"]),
        ("fe80::1%eth0", "fe80::1", ["fe80::1", "fe80::1%eth1"], ["fe80::2%eth0"]),
        ("fe80::1%eth0/64", "fe80::/64", ["fe80::2%wlan0"], ["fe90::"]),
        ("0.0.0.0/0", "0.0.0.0/0", ["127.0.0.1"], ["::1"]),
    ],
)
def test_ranges(book: AccessBook, whom: str, shown: str, inside: list[str], outside: list[str]) -> None:
    assert is_range(whom)
    assert ban(book, whom).whom == shown
    for address in inside:
        assert holds(book, "eve", address)
        assert covers(whom, address)
    for address in outside:
        assert not holds(book, "eve", address)
        assert not covers(whom, address)
    assert book.bans.lift("ban", whom) == shown
    assert not book.bans.has_any("ban")


def test_one_range_twice(book: AccessBook) -> None:
    ban(book, "10.0.0.5/24")
    ban(book, "::ffff:10.0.0.9/120")
    assert [kept.whom for kept in book.bans.all()] == ["10.0.0.0/24"]


@pytest.mark.parametrize("whom", ["bob", "10.0.0", "10.0.0.1/33", "10.0.0.256", "::g", "", "/8", "%eth0"])
def test_what_is_no_range(whom: str) -> None:
    assert not is_range(whom)
    assert not covers(whom, "10.0.0.1")


@pytest.mark.parametrize("whom", ["", "a b", "10.0.0.1/33", "b\u200bob", "x" * 33, "1" * (MAX_WHOM + 1)])
def test_what_is_neither_name_nor_range(book: AccessBook, whom: str) -> None:
    with pytest.raises(Refused) as refused:
        ban(book, whom)
    assert refused.value.code == "bad-name"
    assert not book.bans.has_any("ban")


addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@settings(deadline=None, database=None, max_examples=60)
@given(start=addresses, length=st.integers(0, 32), others=st.lists(addresses, max_size=5))
def test_a_range_holds_what_is_in_it(
    start: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
    others: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    whom = f"{start}/{length}"
    with AccessBook(None) as book:
        ban(book, whom)
        for address in [start, *others]:
            mapped = getattr(address, "ipv4_mapped", None) or address
            same_kind = mapped.version == start.version
            bits = mapped.max_prefixlen - length
            inside = same_kind and int(mapped) >> bits == int(start) >> bits
            assert holds(book, "", str(address)) == inside == covers(whom, str(address))


# Time


@pytest.mark.parametrize("whom", ["bob", "10.0.0.0/8"])
@pytest.mark.parametrize("what", ["ban", "mute"])
def test_it_ends(book: AccessBook, clock: Clock, whom: str, what: bans.What) -> None:
    ban(book, whom, what, seconds=60)
    clock.now += 59.5
    assert holds(book, "bob", "10.0.0.1", what)
    assert len(book.bans.all()) == 1
    clock.now += 0.5
    assert not holds(book, "bob", "10.0.0.1", what)
    assert book.bans.all() == []


def test_one_for_good_does_not_end(book: AccessBook, clock: Clock) -> None:
    ban(book, "bob")
    clock.now += 1e9
    assert holds(book, "bob")


def test_a_range_that_ended_hides_no_other(book: AccessBook, clock: Clock) -> None:
    ban(book, "10.0.0.1", seconds=1)
    ban(book, "10.0.0.0/8")
    clock.now += 2
    found = book.bans.find("ban", "", "10.0.0.1")
    assert found is not None
    assert found.whom == "10.0.0.0/8"


@settings(deadline=None, database=None, max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(["bob", "eve", "10.0.0.0/8"]), st.integers(0, 30)),
        max_size=12,
    )
)
def test_at_any_time_those_hold_that_have_not_ended(steps: list[tuple[int, str, int]]) -> None:
    clock = Clock()
    ends: dict[str, float] = {}
    with AccessBook(None, clock) as book:
        for pause, whom, seconds in steps:
            clock.now += pause
            ban(book, whom, seconds=seconds or None)
            ends[whom] = clock.now + seconds if seconds else float("inf")
            expected = {each for each, end in ends.items() if end > clock.now}
            assert {kept.whom for kept in book.bans.all()} == expected
            assert holds(book, "eve") == ("eve" in expected)
            assert holds(book, "", "10.9.9.9") == ("10.0.0.0/8" in expected)


# Lifting, bounds, restarts


def test_lifting(book: AccessBook) -> None:
    ban(book, "Bob")
    ban(book, "Bob", "mute")
    assert book.bans.lift("ban", "b0b") == "b0b"
    assert not holds(book, "bob")
    assert holds(book, "bob", what="mute")
    with pytest.raises(Refused, match="bob is not banned") as refused:
        book.bans.lift("ban", "bob")
    assert refused.value.code == "no-such-user"


def test_there_are_only_so_many(book: AccessBook, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(bans, "MAX_BANS", 3)
    for name in ("a", "b", "c"):
        ban(book, name, seconds=60)
    with pytest.raises(Refused) as refused:
        ban(book, "d")
    assert refused.value.code == "server-full"
    assert not holds(book, "d")
    clock.now += 60  # Those that ended make place.
    ban(book, "d")
    assert [kept.whom for kept in book.bans.all()] == ["d"]


def test_the_newest_are_listed_first_and_no_more_than_fit(book: AccessBook, clock: Clock) -> None:
    with book._database.writing() as connection:
        for number in range(MAX_BANS_LISTED + 2):
            values = ("ban", f"n{number}", f"n{number}", "ann", number, None, "")
            connection.execute("INSERT INTO bans VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    listed = book.bans.all()
    assert len(listed) == MAX_BANS_LISTED
    assert [kept.at for kept in listed[:2]] == [MAX_BANS_LISTED + 1, MAX_BANS_LISTED]


def test_they_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    with AccessBook(tmp_path, clock) as book:
        ban(book, "bob", seconds=60)
        ban(book, "10.0.0.0/8", "mute")
        before = book.bans.all()
    with AccessBook(tmp_path, clock) as book:
        assert book.bans.all() == before
        assert holds(book, "B0B")
        assert holds(book, "", "10.1.2.3", "mute")


def test_what_another_process_does_holds_after_a_refresh(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as here, AccessBook(tmp_path) as there:
        ban(there, "bob")
        assert not holds(here, "bob")
        assert here.refresh()
        assert holds(here, "bob")
        assert not here.refresh()
