"""Keys: the server's own, invitations, and the personal ones that come of these."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from chatctl.access.database import FILE, Database
from chatctl.access.keys import Keys, new_key
from chatctl.errors import Refused


class Clock:
    """What the time is."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> Keys:
    return Keys(Database(None), clock)


def invited(keys: Keys, uses: int | None = 1, seconds: float | None = 60, room: str = "ops") -> str:
    return keys.invite(room, uses=uses, seconds=seconds, role="guest", by="ann")


def why_not(keys: Keys, key: str, author: str = "bob") -> str:
    """Returns why a key does not let `author` in, which is the same whether it is used or looked at."""
    with pytest.raises(Refused) as looked_at:
        keys.check(key, author)
    with pytest.raises(Refused) as used:
        keys.spend(key, author)
    assert looked_at.value.code == used.value.code == "auth-failed"
    assert str(looked_at.value) == str(used.value)
    return str(used.value)


def test_keys_are_128_random_bits() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(len(key) == 22 for key in made)


# The server's own


def test_the_server_has_one_key_at_a_time(keys: Keys) -> None:
    assert not keys.has_server_key()
    keys.set_server_key("first")
    keys.set_server_key("second")
    assert keys.has_server_key()
    assert keys.check("second", "bob").role == "member"
    assert "lets nobody in" in why_not(keys, "first")


def test_the_servers_key_lets_in_any_number_for_good(keys: Keys, clock: Clock) -> None:
    keys.set_server_key("open sesame")
    for number in range(5):
        assert keys.spend("open sesame", f"guest-{number}") is None
        clock.now += 1e8
    assert keys.check("open sesame", "bob").kind == "server"
    assert keys.invitations() == []


def test_a_key_that_was_an_invitation_can_become_the_servers(keys: Keys) -> None:
    key = invited(keys)
    keys.set_server_key(key)
    assert keys.check(key, "bob").kind == "server"


@pytest.mark.parametrize("key", ["", "nonsense", "\ud800", "x" * 5_000, "' OR 1=1 --"])
def test_what_is_no_key_lets_nobody_in(keys: Keys, key: str) -> None:
    assert "lets nobody in" in why_not(keys, key)


def test_no_key_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path)
    keys = Keys(database)
    keys.set_server_key("open sesame")
    made = invited(keys)
    personal = keys.spend(made, "bob")
    database.close()
    assert personal
    data = (tmp_path / FILE).read_bytes()
    assert not [key for key in ("open sesame", made, personal) if key.encode() in data]


# Invitations


def test_an_invitation_says_what_it_is_for(keys: Keys) -> None:
    found = keys.check(invited(keys), "bob")
    assert (found.kind, found.room, found.role, found.uses) == ("invitation", "ops", "guest", 1)
    assert (found.at, found.until, found.by) == (1_000_000, 1_060_000, "ann")


def test_looking_at_one_does_not_use_it(keys: Keys) -> None:
    key = invited(keys)
    for _ in range(3):
        keys.check(key, "bob")
    assert keys.spend(key, "bob")
    assert "used already" in why_not(keys, key, "eve")


@pytest.mark.parametrize("uses", [1, 2, 5])
def test_it_lets_in_as_many_as_it_says(keys: Keys, uses: int) -> None:
    key = invited(keys, uses=uses)
    assert all(keys.spend(key, f"guest-{number}") for number in range(uses))
    assert "used already" in why_not(keys, key)
    assert keys.guests(1) == [f"guest-{number}" for number in range(uses)]


def test_any_number_is_never_used_up(keys: Keys) -> None:
    key = invited(keys, uses=None)
    assert all(keys.spend(key, f"guest-{number}") for number in range(20))


def test_one_place_is_for_one_of_those_who_come_at_once(keys: Keys) -> None:
    key = invited(keys)
    came: list[str | None] = []

    def come(number: int) -> None:
        try:
            came.append(keys.spend(key, f"guest-{number}"))
        except Refused:
            came.append(None)

    threads = [Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came) == 8
    assert len([key for key in came if key]) == 1


@pytest.mark.parametrize(("passed", "good"), [(0.0, True), (59.999, True), (60.0, False), (1e9, False)])
def test_it_ends(keys: Keys, clock: Clock, passed: float, good: bool) -> None:
    key = invited(keys)
    clock.now += passed
    if good:
        assert keys.spend(key, "bob")
    else:
        assert "over" in why_not(keys, key)


def test_for_good_is_for_good(keys: Keys, clock: Clock) -> None:
    key = invited(keys, seconds=None)
    clock.now += 1e9
    assert keys.check(key, "bob").until is None


def test_the_newest_comes_first(keys: Keys) -> None:
    for room in ("a", "b", "c"):
        invited(keys, room=room)
    assert [key.room for key in keys.invitations()] == ["c", "b", "a"]


def test_what_has_ended_is_forgotten_unless_somebody_is_in_by_it(keys: Keys, clock: Clock) -> None:
    came = invited(keys, room="came")
    invited(keys, room="nobody")
    invited(keys, room="longer", seconds=1_000)
    keys.spend(came, "bob")
    clock.now += 100
    invited(keys, room="new")
    assert [key.room for key in keys.invitations()] == ["new", "longer", "came"]


def test_there_are_only_so_many(keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.access.keys.MAX_INVITATIONS", 3)
    for _ in range(3):
        invited(keys)
    with pytest.raises(Refused) as caught:
        invited(keys)
    assert caught.value.code == "server-full"
    clock.now += 60
    assert invited(keys)


# Personal keys


def test_who_came_by_an_invitation_can_come_again(keys: Keys, clock: Clock) -> None:
    personal = keys.spend(invited(keys), "bob")
    assert personal
    clock.now += 1e8
    found = keys.check(personal, "bob")
    assert (found.kind, found.room, found.role, found.author) == ("personal", "ops", "guest", "bob")
    assert keys.spend(personal, "bob") is None


def test_a_personal_key_is_for_one_name(keys: Keys) -> None:
    personal = keys.spend(invited(keys), "bob")
    assert personal
    assert "another name" in why_not(keys, personal, "eve")


def test_coming_by_the_same_invitation_again_ends_the_key_of_the_last_time(keys: Keys) -> None:
    key = invited(keys, uses=2)
    first, second = keys.spend(key, "bob"), keys.spend(key, "bob")
    assert first
    assert second
    assert "lets nobody in" in why_not(keys, first)
    assert keys.check(second, "bob")
    assert keys.guests(1) == ["bob"]


def test_revoking_ends_an_invitation_and_those_who_came_by_it(keys: Keys) -> None:
    key, other = invited(keys, uses=2), invited(keys, uses=2)
    personal, others = keys.spend(key, "bob"), keys.spend(other, "bob")
    assert personal
    assert others
    id_ = keys.check(key, "bob").id
    assert keys.revoke(id_)
    assert not keys.revoke(id_)
    assert "lets nobody in" in why_not(keys, key)
    assert "lets nobody in" in why_not(keys, personal)
    assert not keys.is_valid(id_)
    assert keys.check(others, "bob")


def test_only_an_invitation_is_revoked(keys: Keys) -> None:
    keys.set_server_key("open sesame")
    assert not keys.revoke(keys.check("open sesame", "bob").id)
    assert keys.check("open sesame", "bob")


def test_the_number_of_one_that_was_revoked_does_not_come_again(keys: Keys) -> None:
    id_ = keys.check(invited(keys), "bob").id
    keys.revoke(id_)
    assert keys.check(invited(keys), "bob").id != id_
    assert not keys.is_valid(id_)


def test_a_person_is_forgotten(keys: Keys) -> None:
    key = invited(keys, uses=None)
    bobs, eves = keys.spend(key, "bob"), keys.spend(key, "eve")
    assert bobs
    assert eves
    keys.forget_person("eve")
    assert "lets nobody in" in why_not(keys, eves, "eve")
    assert keys.check(bobs, "bob")


def test_a_key_no_longer_opens_its_room(keys: Keys) -> None:
    personal = keys.spend(invited(keys, uses=None), "bob")
    other = keys.spend(invited(keys), "eve")
    assert personal
    assert other
    assert not keys.close_room("bob", "dev")
    assert keys.close_room("bob", "ops")
    assert not keys.close_room("bob", "ops")
    found = keys.check(personal, "bob")
    assert found.room is None
    assert keys.get(found.id) == found
    assert keys.check(other, "eve").room == "ops"
    keys.forget_person("bob")
    assert keys.get(found.id) is None


# Given again and again


def test_an_invitation_that_is_given_again_and_again_is_used_once(keys: Keys, clock: Clock) -> None:
    key = invited(keys)
    assert keys.recall(key, "bob").kind == "invitation"
    first = keys.redeem(key, "bob")
    assert (first.kind, first.author, first.room, first.role) == ("personal", "bob", "ops", "guest")
    clock.now += 1e6
    assert keys.redeem(key, "bob") == keys.recall(key, "bob") == first
    with pytest.raises(Refused, match="over"):
        keys.redeem(key, "eve")
    assert keys.guests(1) == ["bob"]
    assert keys.revoke(1)
    with pytest.raises(Refused, match="lets nobody in"):
        keys.recall(key, "bob")


def test_only_as_many_as_it_says_redeem_one(keys: Keys) -> None:
    key = invited(keys, uses=2)
    assert keys.redeem(key, "bob").author == "bob"
    assert keys.redeem(key, "eve").author == "eve"
    with pytest.raises(Refused, match="used already"):
        keys.redeem(key, "ann")


def test_other_keys_are_recalled_as_they_are(keys: Keys) -> None:
    keys.set_server_key("open sesame")
    assert keys.recall("open sesame", "bob").kind == "server"
    personal = keys.spend(invited(keys), "bob")
    assert personal
    assert keys.recall(personal, "bob") == keys.check(personal, "bob")
    with pytest.raises(Refused, match="another name"):
        keys.recall(personal, "eve")
