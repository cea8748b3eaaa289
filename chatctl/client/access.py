"""Where a client goes, and as whom. Plain data, quick to import."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to come in.

    Attributes:
        host: the server's name or address.
        port: its port.
        name: what to be called.
        key: what lets this person in, where the server asks for it; never shown.
        named: it has to be this name; else it may get a number where it is taken.
    """

    host: str
    port: int
    name: str
    key: str | None = field(default=None, repr=False)
    named: bool = True
