"""Private messages that wait for those who are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatctl.access.database import Database
from chatctl.access.mail import MAX_KEPT, Mail
from chatctl.errors import Refused
from chatctl.messages import Told


def told(number: int, name: str = "bob") -> Told:
    return Told(number, name, f"text {number}\n\u2026", "action" if number % 2 else "text")


@pytest.fixture
def mail() -> Mail:
    return Mail(Database(None))


def test_nobody_has_any_at_first(mail: Mail) -> None:
    assert mail.waiting("ann") == ([], 0)


def test_it_waits_in_order_also_over_a_restart(tmp_path: Path) -> None:
    database = Database(tmp_path)
    for number in range(5):
        Mail(database).put("ann", told(number))
    database.close()
    database = Database(tmp_path)
    kept, _ = Mail(database).waiting("ann")
    assert kept == [told(number) for number in range(5)]
    database.close()


def test_everybody_has_their_own(mail: Mail) -> None:
    mail.put("ann", told(1))
    mail.put("eve", told(2))
    assert mail.waiting("ann")[0] == [told(1)]
    assert mail.waiting("eve")[0] == [told(2)]
    mail.drop("ann", mail.waiting("eve")[1])
    assert mail.waiting("eve")[0] == [told(2)]


def test_what_has_arrived_is_dropped_and_nothing_that_came_since(mail: Mail) -> None:
    mail.put("ann", told(1))
    mail.put("ann", told(2))
    _, number = mail.waiting("ann")
    mail.put("ann", told(3))
    mail.drop("ann", number)
    mail.drop("ann", number)
    assert mail.waiting("ann")[0] == [told(3)]


def test_only_so_much_is_kept(mail: Mail) -> None:
    assert MAX_KEPT == 200
    for number in range(MAX_KEPT):
        mail.put("ann", told(number))
    with pytest.raises(Refused) as caught:
        mail.put("ann", told(MAX_KEPT))
    assert caught.value.code == "server-full"
    assert len(mail.waiting("ann")[0]) == MAX_KEPT
    mail.put("eve", told(1))
    mail.drop("ann", mail.waiting("ann")[1])
    mail.put("ann", told(1))
    assert mail.waiting("ann")[0] == [told(1)]
