"""A chat of your own in one command: a server, a terminal client and the protocol between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatctl.client.connection import ChatClient

__all__ = ["ChatClient", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Imports the client only for those who use it: the command line starts sooner without."""
    if name == "ChatClient":
        from chatctl.client.connection import ChatClient

        return ChatClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
