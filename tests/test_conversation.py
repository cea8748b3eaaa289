"""What becomes of what a server sends, where no terminal is needed to see it."""

from __future__ import annotations

from chatctl.client.connection import ChatClient
from chatctl.client.display.look import Look
from chatctl.client.terminal.conversation import Conversation
from chatctl.client.terminal.remembered import Ignored, LastSeen, Spot
from chatctl.messages import Msg
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
