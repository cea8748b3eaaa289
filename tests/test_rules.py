"""The rules of rooms, and who was allowed into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.access.opened import AccessBook
from chatctl.access.rules import NO_RULE, Rule
from chatctl.errors import Refused

PASSWORD = "correct horse"


@pytest.fixture
def book() -> AccessBook:
    return AccessBook(None)


def test_a_room_has_no_rule(book: AccessBook) -> None:
    assert book.rules.is_empty()
    assert book.rules.get("dev") == NO_RULE == Rule(False, False, False, False)


@pytest.mark.parametrize("rule", [Rule(invite_only=True), Rule(hidden=True), Rule(True, True, True, True)])
def test_a_rule_holds_for_its_room_alone(book: AccessBook, rule: Rule) -> None:
    book.rules.set("dev", rule)
    assert book.rules.get("dev") == rule
    assert book.rules.get("dev2") == NO_RULE
    assert not book.rules.is_empty()
    book.rules.set("dev", NO_RULE)
    assert book.rules.get("dev") == NO_RULE
    assert book.rules.is_empty()


@pytest.mark.parametrize("rule", [Rule(invite_only=True), Rule(hidden=True, topic_locked=True)])
def test_the_lobby_is_everybodys(book: AccessBook, rule: Rule) -> None:
    with pytest.raises(Refused) as refused:
        book.rules.set("lobby", rule)
    assert refused.value.code == "forbidden"
    assert book.rules.is_empty()
    book.rules.set("lobby", Rule(read_only=True, topic_locked=True))
    assert book.rules.get("lobby").read_only


def test_who_was_allowed(book: AccessBook) -> None:
    assert not book.rules.is_allowed("dev", "bob")
    book.rules.allow("dev", "bob")
    book.rules.allow("dev", "bob")
    assert book.rules.is_allowed("dev", "bob")
    assert not book.rules.is_allowed("ops", "bob")
    assert not book.rules.is_allowed("dev", "eve")
    book.rules.disallow("dev", "bob")
    assert not book.rules.is_allowed("dev", "bob")
    with pytest.raises(Refused) as refused:
        book.rules.disallow("dev", "bob")
    assert refused.value.code == "no-such-user"


def test_a_removed_account_is_allowed_nothing(book: AccessBook) -> None:
    book.accounts.add("Bob", PASSWORD)
    book.rules.allow("dev", "bob")
    book.accounts.remove("bob")
    assert not book.rules.is_allowed("dev", "bob")


def test_they_survive_a_restart(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        book.rules.set("dev", Rule(invite_only=True, topic_locked=True))
        book.rules.allow("dev", "bob")
    with AccessBook(tmp_path) as book:
        assert book.rules.get("dev") == Rule(invite_only=True, topic_locked=True)
        assert book.rules.is_allowed("dev", "bob")


rules = st.builds(Rule, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@settings(deadline=None, database=None, max_examples=30)
@given(changes=st.lists(st.tuples(st.sampled_from(["dev", "ops", "a"]), rules), max_size=12))
def test_the_last_rule_of_each_room_counts(changes: list[tuple[str, Rule]]) -> None:
    with AccessBook(None) as book:
        for room, rule in changes:
            book.rules.set(room, rule)
        last = dict(changes)
        assert {room: book.rules.get(room) for room in last} == last
        assert book.rules.is_empty() == all(rule == NO_RULE for rule in last.values())
