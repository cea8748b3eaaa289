"""Accounts: whose a name is, and who proves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatctl.access import passwords
from chatctl.access.accounts import Accounts
from chatctl.access.database import FILE, Database
from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.messages import Told


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(Database(None), lambda: 1_000.0)


def code(caught: pytest.ExceptionInfo[Refused]) -> str:
    return caught.value.code


def test_an_account_is_what_was_made(accounts: Accounts) -> None:
    made = accounts.add("Ann", "secret", "owner")
    assert (made.name, made.author, made.role, made.at, made.seen) == ("Ann", "ann", "owner", 1_000_000, None)
    assert accounts.get("ann") == made
    assert accounts.all() == [made]


@pytest.mark.parametrize("name", ["ann", "ANN", "\uff41nn", "\u0430nn", "Ann"])
def test_a_name_belongs_to_its_owner_in_any_spelling(accounts: Accounts, name: str) -> None:
    accounts.add("Ann", "secret")
    owner = accounts.owner(name)
    assert owner
    assert owner.name == "Ann"
    with pytest.raises(Refused) as caught:
        accounts.add(name, "secret")
    assert code(caught) == "name-taken"


def test_other_names_are_free(accounts: Accounts) -> None:
    assert accounts.owner("ann") is None
    accounts.add("ann", "secret")
    assert accounts.owner("anna") is None
    assert accounts.add("anna", "secret")


def test_what_is_no_name_or_no_password_makes_no_account(accounts: Accounts) -> None:
    for name, password, expected in [
        ("a b", "secret", "bad-name"),
        ("", "secret", "bad-name"),
        ("ann", "short", "bad-text"),
        ("ann", "x" * 1_025, "bad-text"),
    ]:
        with pytest.raises(Refused) as caught:
            accounts.add(name, password)
        assert code(caught) == expected
    assert accounts.all() == []


def test_the_owner_proves_it_by_the_password(accounts: Accounts) -> None:
    accounts.add("Ann", "secret")
    assert accounts.log_in("ann", "secret").name == "Ann"
    seen = accounts.get("ann")
    assert seen
    assert seen.seen == 1_000_000


def test_a_full_disk_keeps_no_owner_out(tmp_path: Path) -> None:
    database = Database(tmp_path)
    accounts = Accounts(database)
    accounts.add("Ann", "secret")
    with database.reading() as connection:
        connection.execute("PRAGMA query_only = on")
    assert accounts.log_in("ann", "secret").name == "Ann"
    with pytest.raises(Refused) as caught:
        accounts.log_in("ann", "wrong!")
    assert code(caught) == "auth-failed"
    assert [account.seen for account in accounts.all()] == [None]
    database.close()


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "Secret"), ("ann", ""), ("ann", "x" * 9_999), ("eve", "secret"), ("\u0430nn", "secret")],
)
def test_nobody_else_does(accounts: Accounts, name: str, password: str) -> None:
    accounts.add("ann", "secret")
    with pytest.raises(Refused) as caught:
        accounts.log_in(name, password)
    assert code(caught) == "auth-failed"
    assert str(caught.value) == "that is not the password of that account"


def test_an_unknown_name_takes_a_hash_too(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str | None] = []
    hasher = passwords._hasher()
    verify = hasher.verify

    def noted(kept: str, password: bytes) -> bool:
        tried.append(kept)
        return bool(verify(kept, password))

    monkeypatch.setattr(type(hasher), "verify", lambda _self, kept, password: noted(kept, password))
    with pytest.raises(Refused):
        accounts.log_in("nobody", "secret")
    assert len(tried) == 1


def test_another_password(accounts: Accounts) -> None:
    accounts.add("ann", "secret")
    accounts.set_password("ANN", "better secret")
    assert accounts.log_in("ann", "better secret")
    with pytest.raises(Refused):
        accounts.log_in("ann", "secret")
    with pytest.raises(Refused):
        accounts.set_password("ann", "short")
    assert accounts.log_in("ann", "better secret")


def test_another_role(accounts: Accounts) -> None:
    accounts.add("ann", "secret")
    assert accounts.set_role("Ann", "moderator").role == "moderator"
    found = accounts.get("ann")
    assert found
    assert found.role == "moderator"


def test_who_has_no_account_cannot_be_changed(accounts: Accounts) -> None:
    for change in (
        lambda: accounts.set_password("eve", "secret"),
        lambda: accounts.set_role("eve", "owner"),
        lambda: accounts.remove("eve"),
    ):
        with pytest.raises(Refused) as caught:
            change()
        assert code(caught) == "no-such-user"


def test_a_removed_account_leaves_nothing() -> None:
    with AccessBook(None) as book:
        book.accounts.add("ann", "secret")
        book.mail.put("ann", Told(1, "bob", "hello"))
        book.rules.allow("ops", "ann")
        book.accounts.remove("Ann")
        assert book.accounts.owner("ann") is None
        book.accounts.add("ann", "another")
        assert book.mail.waiting("ann") == ([], 0)
        assert not book.rules.is_allowed("ops", "ann")


def test_there_are_only_so_many(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.access.accounts.MAX_ACCOUNTS", 1)
    accounts.add("ann", "secret")
    with pytest.raises(Refused) as caught:
        accounts.add("bob", "secret")
    assert code(caught) == "server-full"


def test_who_is_slower_finds_the_name_taken(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as one, AccessBook(tmp_path) as other:
        one.accounts.add("ann", "secret")
        with pytest.raises(Refused) as caught:  # It has not been told yet.
            other.accounts.add("ANN", "secret")
        assert code(caught) == "name-taken"


def test_no_password_is_kept(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        book.accounts.add("ann", "correct horse")
        book.accounts.set_password("ann", "battery staple")
    data = (tmp_path / FILE).read_bytes()
    assert b"correct horse" not in data
    assert b"battery staple" not in data
    assert data.count(b"$argon2id$") == 1
