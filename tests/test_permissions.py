"""What somebody may do where: every rule against every kind of person, and mutes."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.access.roles import RANKS, is_at_least
from chatctl.access.rules import Rule
from chatctl.errors import Refused
from chatctl.messages import Mode, Role
from chatctl.server import permissions
from chatctl.server.proof import Proof
from tests.clock import Clock


class Asker:
    """Somebody who wants to do something."""

    def __init__(
        self,
        role: Role = "member",
        *,
        account: str = "",
        key_for: str | None = None,
        inside: Collection[str] = (),
    ) -> None:
        self.name = "Bob"
        self.account = account
        self.address = "10.0.0.7"
        self.role = role
        self.rooms = inside
        self.silenced_as: Collection[str] = ()
        self.grant = (
            None
            if key_for is None
            else Key(1, b"", "personal", 2, "bob", key_for, role, None, None, 0, "ann")
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> AccessBook:
    return AccessBook(None, clock)


def code(act: Callable[[], object]) -> str | None:
    """Returns the code with which something is refused, if it is."""
    try:
        act()
    except Refused as refused:
        return refused.code
    return None


# Rooms


def test_a_room_without_a_rule_is_open_to_all(book: AccessBook) -> None:
    for role in RANKS:
        asker = Asker(role)
        assert permissions.may_enter(book, asker, "dev")
        assert permissions.may_see(book, asker, "dev")
        assert permissions.may_read(book, asker, "dev")
        assert permissions.sees_open(book, asker, "dev")


ASKERS = {
    "guest": (Asker("guest"), False),
    "member": (Asker(), False),
    "other account": (Asker(account="eve"), False),
    "other key": (Asker(key_for="ops"), False),
    "account that was let in": (Asker(account="bob"), True),
    "guest that was let in": (Asker("guest", account="bob"), True),
    "key for the room": (Asker("guest", key_for="dev"), True),
    "moderator": (Asker("moderator"), True),
    "owner": (Asker("owner", account="ann"), True),
}


@pytest.mark.parametrize("who", ASKERS)
def test_a_room_for_a_few(book: AccessBook, who: str) -> None:
    asker, let_in = ASKERS[who]
    book.rules.set("dev", Rule(invite_only=True))
    book.rules.allow("dev", "bob")
    assert permissions.may_see(book, asker, "dev")
    assert permissions.may_enter(book, asker, "dev") is let_in
    assert permissions.may_read(book, asker, "dev") is let_in
    refused = None if let_in else "forbidden"
    assert code(lambda: permissions.sees_open(book, asker, "dev")) == refused
    assert code(lambda: permissions.demand_entry(book, asker, "dev", exists=True)) == refused


@pytest.mark.parametrize("who", ASKERS)
def test_a_hidden_room_for_a_few(book: AccessBook, who: str) -> None:
    asker, let_in = ASKERS[who]
    book.rules.set("dev", Rule(invite_only=True, hidden=True))
    book.rules.allow("dev", "bob")
    assert permissions.may_see(book, asker, "dev") is let_in
    assert permissions.sees_open(book, asker, "dev") is let_in
    assert permissions.may_read(book, asker, "dev") is let_in
    refused = None if let_in else "forbidden"
    assert code(lambda: permissions.demand_entry(book, asker, "dev", exists=True)) == refused


def test_a_hidden_room_is_there_for_those_in_it(book: AccessBook) -> None:
    book.rules.set("dev", Rule(hidden=True))
    assert not permissions.may_see(book, Asker(), "dev")
    assert not permissions.sees_open(book, Asker(), "dev")
    assert permissions.sees_open(book, Asker(inside=["dev"]), "dev")
    permissions.demand_entry(book, Asker(), "dev", exists=True)  # Whoever knows the name may come.


def test_who_is_inside_reads_no_more_once_it_is_for_a_few(book: AccessBook) -> None:
    book.rules.set("dev", Rule(invite_only=True, hidden=True))
    assert not permissions.may_read(book, Asker(inside=["dev"]), "dev")


@pytest.mark.parametrize("exists", [True, False])
def test_guests_make_no_rooms(book: AccessBook, exists: bool) -> None:
    def enter(asker: Asker) -> str | None:
        return code(lambda: permissions.demand_entry(book, asker, "dev", exists=exists))

    assert enter(Asker()) is None
    assert enter(Asker("guest")) == (None if exists else "forbidden")
    assert enter(Asker("guest", key_for="dev")) is None


def test_a_guest_cannot_tell_a_hidden_room_from_none(book: AccessBook) -> None:
    book.rules.set("dev", Rule(invite_only=True, hidden=True))
    said = []
    for room in ("dev", "nothing"):
        with pytest.raises(Refused) as refused:
            permissions.demand_entry(book, Asker("guest"), room, exists=room == "dev")
        said.append((refused.value.code, str(refused.value)))
    assert said[0] == said[1]


rules = st.builds(Rule, st.booleans(), st.booleans(), st.booleans(), st.booleans())
askers = st.builds(
    lambda role, account, key_for, inside: Asker(role, account=account, key_for=key_for, inside=inside),
    st.sampled_from(RANKS),
    st.sampled_from(["", "bob", "eve"]),
    st.sampled_from([None, "dev", "ops"]),
    st.sampled_from([(), ("dev",), ("ops",)]),
)


@given(rule=rules, asker=askers, allowed=st.booleans())
def test_what_may_be_read_may_be_seen_and_entered(rule: Rule, asker: Asker, allowed: bool) -> None:
    with AccessBook(None) as book:
        book.rules.set("dev", rule)
        if allowed:
            book.rules.allow("dev", "bob")
        enters, sees = permissions.may_enter(book, asker, "dev"), permissions.may_see(book, asker, "dev")
        assert permissions.may_read(book, asker, "dev") == (enters and sees)
        let_in = (
            is_at_least(asker.role, "moderator")
            or (allowed and asker.account == "bob")
            or (asker.grant is not None and asker.grant.room == "dev")
        )
        assert enters == (not rule.invite_only or let_in)
        assert sees == (not rule.hidden or let_in or "dev" in asker.rooms)
        speaks = permissions.why_silent(book, asker, "dev") is None
        assert speaks == (enters and (not rule.read_only or is_at_least(asker.role, "moderator")))
        mode = permissions.modes_of(book)("dev")
        expected = Mode(
            room="dev",
            invite_only=rule.invite_only,
            hidden=rule.hidden,
            read_only=rule.read_only,
            topic_locked=rule.topic_locked,
        )
        assert permissions.mode_of(book, "dev") == expected
        assert mode == (None if rule == Rule() else expected)


# Speaking


@pytest.mark.parametrize("role", RANKS)
def test_a_read_only_room(book: AccessBook, role: Role) -> None:
    asker = Asker(role)
    book.rules.set("news", Rule(read_only=True))
    refused = None if role in ("moderator", "owner") else "forbidden"
    assert code(lambda: permissions.demand_voice(book, asker, "news")) == refused
    assert code(lambda: permissions.demand_topic(book, asker, "news")) == refused
    assert code(lambda: permissions.demand_voice(book, asker, "dev")) is None
    assert code(lambda: permissions.demand_voice(book, asker)) is None


@pytest.mark.parametrize("role", RANKS)
def test_topics(book: AccessBook, role: Role) -> None:
    asker = Asker(role)
    book.rules.set("news", Rule(topic_locked=True))
    locked = code(lambda: permissions.demand_topic(book, asker, "news"))
    open_ = code(lambda: permissions.demand_topic(book, asker, "dev"))
    assert locked == (None if role in ("moderator", "owner") else "forbidden")
    assert open_ == ("forbidden" if role == "guest" else None)
    assert permissions.why_silent(book, asker, "news") is None


@pytest.mark.parametrize("whom", ["bob", "B0B", "robert", "10.0.0.0/8", "early"])
def test_a_mute_holds_for_all_that_somebody_is_known_by(book: AccessBook, clock: Clock, whom: str) -> None:
    asker = Asker(account="robert")
    asker.silenced_as = ["early"]
    assert permissions.why_silent(book, asker, "dev") is None
    book.bans.put("mute", whom, by="ann", seconds=60, reason="spam\n\u202e")
    for room in ("dev", None):
        refusal = permissions.why_silent(book, asker, room)
        assert refusal is not None
        text = "you are muted until 1970-01-01 01:24 UTC: spam\\n\\u202e"
        assert (refusal.code, str(refusal)) == ("muted", text)
    assert code(lambda: permissions.demand_topic(book, asker, "dev")) == "muted"
    assert permissions.may_read(book, asker, "dev")
    clock.now += 60
    assert permissions.why_silent(book, asker, "dev") is None


def test_nobody_takes_a_banned_name(book: AccessBook) -> None:
    assert code(lambda: permissions.demand_name(book, "bob")) is None
    book.bans.put("mute", "bob", by="ann", seconds=None, reason="")
    assert code(lambda: permissions.demand_name(book, "bob")) is None
    book.bans.put("ban", "bob", by="ann", seconds=None, reason="")
    assert code(lambda: permissions.demand_name(book, "B0b")) == "banned"
    assert code(lambda: permissions.demand_name(book, "bobby")) is None


def test_a_ban_that_ends_a_key_is_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with AccessBook(None) as book:
        key = book.keys.check(book.keys.invite(None, uses=1, seconds=60, role="member", by="ann"), "eve")

        def banned_meanwhile(_id: int) -> bool:
            book.bans.put("ban", "eve", by="ann", seconds=None, reason="")
            return False

        monkeypatch.setattr(book.keys, "is_valid", banned_meanwhile)
        with pytest.raises(Refused) as caught:
            Proof(grant=key).check(book, "eve", "192.0.2.1")
    assert caught.value.code == "banned"
