"""Whose session is whose: which secrets are known, and for how long."""

from __future__ import annotations

from chatctl.server.resumption import (
    KEPT_SECONDS,
    MAX_EARLIER_NAMES,
    MAX_KEPT,
    MAX_SECRETS,
    Resumption,
    Ticket,
)


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_secret_leads_to_its_session() -> None:
    resumption: Resumption[str] = Resumption()
    secret, ticket = resumption.issue("first", "ann")
    assert resumption.find(secret) is ticket
    assert (ticket.holder, ticket.name) == ("first", "ann")
    assert resumption.find("guessed") is None


def test_secrets_are_long_and_differ() -> None:
    resumption: Resumption[int] = Resumption()
    secrets = {resumption.issue(number, "ann")[0] for number in range(1_000)}
    assert len(secrets) == 1_000
    assert min(map(len, secrets)) >= 22  # 128 bits in base64


def test_older_secrets_of_the_same_client_lead_to_the_session_it_has_now() -> None:
    resumption: Resumption[int] = Resumption()
    secret, ticket = resumption.issue(0, "ann")
    secrets = [secret, *(resumption.issue(number, "ann", ticket)[0] for number in range(1, 30))]
    known = [secret for secret in secrets if resumption.find(secret)]
    assert known == secrets[-MAX_SECRETS:]
    assert {resumption.find(secret) for secret in known} == {ticket}
    assert ticket.holder == 29


def test_an_ended_session_is_known_for_a_while() -> None:
    clock = Clock()
    resumption: Resumption[str] = Resumption(clock)
    secret, ticket = resumption.issue("first", "ann")
    resumption.retire("first", "anna", ticket)
    assert resumption.find(secret) is ticket
    assert (ticket.holder, ticket.name) == (None, "anna")
    clock.now = KEPT_SECONDS + 1
    resumption.retire("other", "bob", resumption.issue("other", "bob")[1])
    assert resumption.find(secret) is None


def test_one_that_was_taken_over_stays_known() -> None:
    clock = Clock()
    resumption: Resumption[str] = Resumption(clock)
    first, ticket = resumption.issue("first", "ann")
    resumption.retire("first", "ann", ticket)
    clock.now = KEPT_SECONDS - 1
    second, _ = resumption.issue("second", "ann", ticket)
    clock.now = KEPT_SECONDS + 1
    resumption.retire("other", "bob", resumption.issue("other", "bob")[1])
    assert resumption.find(first) is resumption.find(second) is ticket
    resumption.retire("first", "ann", ticket)  # late, and no longer its own
    assert ticket.holder == "second"


def test_how_many_are_known_is_bounded() -> None:
    resumption: Resumption[int] = Resumption(Clock())
    secrets = []
    for number in range(MAX_KEPT + 10):
        secret, ticket = resumption.issue(number, "ann")
        resumption.retire(number, "ann", ticket)
        secrets.append(secret)
    assert [resumption.find(secret) is None for secret in secrets[:11]] == [True] * 10 + [False]


def test_one_that_was_revoked_is_worth_nothing() -> None:
    resumption: Resumption[str] = Resumption()
    secret, ticket = resumption.issue("first", "ann")
    secrets = [secret, *(resumption.issue("first", "ann", ticket)[0] for _ in range(3))]
    other, _ = resumption.issue("other", "bob")
    resumption.revoke(ticket)
    resumption.revoke(ticket)
    secrets.append(resumption.issue("first", "ann", ticket)[0])  # Nor is what it was just about to get.
    resumption.retire("first", "ann", ticket)
    assert [resumption.find(each) for each in secrets] == [None] * 5
    assert resumption.find(other) is not None


def test_the_last_few_names_are_known() -> None:
    ticket = Ticket("first", "Name0")
    for number in range(1, MAX_EARLIER_NAMES + 3):
        ticket.rename(f"Name{number}")
    assert ticket.earlier_names == tuple(f"name{number}" for number in range(2, MAX_EARLIER_NAMES + 2))
    assert ticket.silenced_as == ()


def test_names_under_which_somebody_was_muted_are_all_known() -> None:
    ticket = Ticket("first", "Ann")
    ticket.rename("Bob", muted=True)
    for _ in range(20):
        ticket.rename("Eve")
        ticket.rename("Bob")
    ticket.rename("Ann", muted=True)
    ticket.rename("Bob", muted=True)
    assert (ticket.name, ticket.silenced_as) == ("Bob", ("Ann", "Bob"))
