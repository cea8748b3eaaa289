"""What all sessions of a server share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatctl.access.opened import AccessBook
from chatctl.history.log import Log
from chatctl.server.admission import Admission
from chatctl.server.api.followers import Followers
from chatctl.server.api.rates import Rates
from chatctl.server.config import Config
from chatctl.server.doorstep import Doorstep
from chatctl.server.encryption import Encryption
from chatctl.server.entrance import Entrance
from chatctl.server.hub import Hub
from chatctl.server.outbox import Drainer
from chatctl.server.refusals import Refusals
from chatctl.server.resumption import Resumption
from chatctl.server.web.sites import Sites

if TYPE_CHECKING:
    from chatctl.server.session import Session


@dataclass(frozen=True, slots=True)
class Shared:
    """What they share.

    Attributes:
        config: what was set.
        log: keeps what is said.
        book: who may do what.
        hub: the people and rooms.
        entrance: lets people in.
        resumption: whose session is whose.
        admission: who may come in.
        encryption: what is offered and asked for.
        doorstep: those who are not in, and are waited for.
        refusals: what is logged of those who do not come in.
        sites: the names and pages by which browsers may come.
        rates: how often somebody may ask for something over HTTP.
        followers: those who follow rooms over HTTP.
        drainer: sends what sockets did not take at once.
        stopping: set once the server is going down.
        forget: called with a session that has ended.
        sessions: returns all that there are.
    """

    config: Config
    log: Log
    book: AccessBook
    hub: Hub
    entrance: Entrance
    resumption: Resumption[Session]
    admission: Admission
    encryption: Encryption
    doorstep: Doorstep[Session]
    refusals: Refusals
    sites: Sites
    rates: Rates
    followers: Followers
    drainer: Drainer
    stopping: threading.Event
    forget: Callable[[Session], None]
    sessions: Callable[[], list[Session]]
