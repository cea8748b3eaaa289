"""What becomes of what a server sends, where no terminal is needed to see it."""

from __future__ import annotations

from chatctl.client.connection import ChatClient
from chatctl.client.display.look import Look
from chatctl.client.terminal.conversation import Conversation
from chatctl.client.terminal.remembered import Ignored, LastSeen, Spot
from chatctl.messages import Msg, Redacted
from tests.helpers import running_server


def test_rooms_that_nobody_asked_for_are_not_remembered() -> None:
    seen = LastSeen(None, "a:1")
    with running_server() as server, ChatClient.connect(server.host, server.port, "ann") as client:
        conversation = Conversation(client, "lobby", Ignored(None), seen, Look())
        while "lobby" not in conversation.places:
            for event in client.receive(timeout=20):
                list(conversation.receive(event))
        for room in ("lobby", "nowhere"):
            list(conversation.receive(Msg(1, 10, room, "eve", "hello")))
    assert seen.get("lobby") == Spot(1, 10)
    assert seen.get("nowhere") is None


def test_a_redacted_message_calls_nobody_and_is_not_the_last_one_of_anybody() -> None:
    with running_server() as server, ChatClient.connect(server.host, server.port, "ann") as client:
        conversation = Conversation(client, "lobby", Ignored(None), LastSeen(None, "a:1"), Look())
        while "lobby" not in conversation.places:
            for event in client.receive(timeout=20):
                list(conversation.receive(event))
        kept, empty = Msg(1, 10, "lobby", "eve", "ann?"), Msg(2, 10, "lobby", "eve", "")
        assert [list(conversation.receive(msg)) for msg in (kept, empty)] == [[kept], [empty]]
        assert [conversation.weight(msg) for msg in (kept, empty)] == ["called", ""]
        assert conversation.places.last_of("eve") == 1
        gone = Redacted("lobby", 1, "bob", "rude")
        assert list(conversation.receive(gone)) == [gone]
        assert conversation.weight(gone) == ""
        assert conversation.places.last_of("eve") is None
