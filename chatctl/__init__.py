"""A chat of your own in one command: a server, a terminal client and the protocol between them."""

__version__ = "0.1.0"
