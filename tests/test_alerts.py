"""What calls a person, how, and how often."""

from __future__ import annotations

import pytest

from chatctl.client.display.codes import RING, Abilities, notification, title
from chatctl.client.display.look import Bell, Look, Notify
from chatctl.client.terminal.alerts import QUIET_SECONDS, Alerts
from chatctl.messages import Msg, Notice, Told
from tests.test_places import places

ALL = Abilities(links=True, titles=True, notifications=True)
NONE = Abilities(links=False, titles=False, notifications=False)
SAID = Msg(1, 0, "dev", "bob", "hi ann")


@pytest.mark.parametrize(
    ("bell", "weight", "rings"),
    [
        (Bell.mentions, "called", True),
        (Bell.mentions, "said", False),
        (Bell.all, "said", True),
        (Bell.all, "called", True),
        (Bell.all, "", False),
        (Bell.off, "called", False),
    ],
)
def test_what_rings(bell: Bell, weight: str, rings: bool) -> None:
    alerts = Alerts(ALL)
    look = Look(bell=bell)
    alerts.hear(SAID, weight, look)
    assert alerts.call(look, 1.0) == (RING if rings else "")
    assert alerts.call(look, 100.0) == ""


def test_it_rings_at_most_once_a_second() -> None:
    alerts, look = Alerts(ALL), Look()
    for _ in range(3):
        alerts.hear(SAID, "called", look)
    assert alerts.call(look, 0.0) == RING
    alerts.hear(SAID, "called", look)
    assert alerts.call(look, QUIET_SECONDS / 2) == ""
    assert alerts.call(look, QUIET_SECONDS) == RING


@pytest.mark.parametrize("kind", [Notify.osc9, Notify.osc777])
def test_the_desktop_is_told(kind: Notify) -> None:
    alerts, look = Alerts(ALL), Look(bell=Bell.off, notify=kind)
    alerts.hear(SAID, "said", look)
    assert alerts.call(look, 1.0) == ""
    alerts.hear(SAID, "called", look)
    assert alerts.call(look, 2.0) == notification(kind, "bob in #dev", "hi ann")
    alerts.hear(Told(0, "bob", "psst"), "called", look)
    assert alerts.call(look, 4.0) == notification(kind, "bob", "psst")


def test_a_terminal_that_knows_nothing_is_only_rung() -> None:
    alerts, look = Alerts(NONE), Look(notify=Notify.osc9)
    alerts.hear(SAID, "called", look)
    assert alerts.call(look, 1.0) == RING
    assert alerts.title(look, places("lobby")) == ""


def test_news_call_nobody() -> None:
    alerts = Alerts(ALL)
    alerts.hear(Notice("x"), "", Look())
    assert alerts.call(Look(), 1.0) == ""


def test_the_title_counts_what_is_unread() -> None:
    alerts, look = Alerts(ALL), Look()
    made = places("lobby", "dev")
    assert alerts.title(look, made) == title("#lobby")
    assert alerts.title(look, made) == ""
    made.note("dev", 1)
    assert alerts.title(look, made) == title("(1) #lobby")
    made.note("dev", 2, called=True)
    assert alerts.title(look, made) == title("(2, 1 for you) #lobby")
    assert Alerts(ALL).title(Look(title=False), made) == ""
