"""What becomes of what a server sends, where no terminal is needed to see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chatctl import commands
from chatctl.client.connection import ChatClient
from chatctl.client.display.look import Look
from chatctl.client.events import CaughtUp, Reconnected
from chatctl.client.terminal.conversation import Conversation
from chatctl.client.terminal.remembered import Ignored, LastSeen, Spot
from chatctl.errors import ChatError
from chatctl.messages import Msg, Notice, Presence, Redacted
from tests.helpers import running_server


@contextmanager
def talking(*rooms: str, seen: LastSeen | None = None) -> Iterator[Conversation]:
    """Has a conversation of ann's that is in the lobby, and then in more rooms, on a server of its own."""
    with running_server() as server, ChatClient.connect(server.host, server.port, "ann") as client:
        seen = seen or LastSeen(None, "a:1")
        conversation = Conversation(client, "lobby", Ignored(None), seen, Look())
        for room in rooms:
            list(conversation.perform(commands.Join(room)))
        while not {"lobby", *rooms} <= set(conversation.places):
            for event in client.receive(timeout=20):
                list(conversation.receive(event))
        yield conversation


def test_rooms_that_nobody_asked_for_are_not_remembered() -> None:
    seen = LastSeen(None, "a:1")
    with talking(seen=seen) as conversation:
        for room in ("lobby", "nowhere"):
            list(conversation.receive(Msg(1, 10, room, "eve", "hello")))
    assert seen.get("lobby") == Spot(1, 10)
    assert seen.get("nowhere") is None


def test_a_redacted_message_calls_nobody_and_is_not_the_last_one_of_anybody() -> None:
    with talking() as conversation:
        kept, empty = Msg(1, 10, "lobby", "eve", "ann?"), Msg(2, 10, "lobby", "eve", "")
        assert [list(conversation.receive(msg)) for msg in (kept, empty)] == [[kept], [empty]]
        assert [conversation.weight(msg) for msg in (kept, empty)] == ["called", ""]
        assert conversation.places.last_of("eve") == 1
        gone = Redacted("lobby", 1, "bob", "rude")
        assert list(conversation.receive(gone)) == [gone]
        assert conversation.weight(gone) == ""
        assert conversation.places.last_of("eve") is None


def test_who_is_put_out_of_a_room_is_told_and_what_was_meant_for_it_goes_nowhere_else() -> None:
    with talking("staff") as conversation:
        assert conversation.here() == "staff"
        gone = Presence(room="staff", joined=[], left=["ann"], count=1)
        assert list(conversation.receive(gone)) == [Notice("you are no longer in #staff")]
        with pytest.raises(ChatError, match="in no room; /join ROOM enters one, or goes to one of yours"):
            list(conversation.perform(commands.Say("for staff alone")))
        list(conversation.perform(commands.Focus("lobby")))
        assert conversation.here() == "lobby"


def test_who_is_not_let_into_a_room_again_is_told_and_talks_nowhere() -> None:
    with talking() as conversation:
        list(conversation.receive(Reconnected(conversation.client.welcome)))
        shown = list(conversation.receive(CaughtUp(0)))
        assert shown[1:] == [Notice("you are no longer in #lobby")]
        assert conversation.places.focus == ""
