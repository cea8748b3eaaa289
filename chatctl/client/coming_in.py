"""Comes in by the name one has or, where somebody has it already, by one like it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping

from chatctl.client.access import Access
from chatctl.client.complaint import complain
from chatctl.client.connection import CONNECT_SECONDS, ChatClient
from chatctl.errors import ConnectionFailed, DataError
from chatctl.names import MAX_NAME

SHORTEST = 0.001  # seconds for a try, however late it is
NO_ENTRY = frozenset({"auth-required", "auth-failed"})


def come_in(
    access: Access,
    rooms: Mapping[str, int | None],
    *,
    backlog: int = 0,
    timeout: float = CONNECT_SECONDS,
    reconnect: bool = True,
    insist: bool | None = None,
    listen: bool = True,
) -> ChatClient:
    """Connects, and comes in.

    Args:
        access: where to, and as whom.
        rooms: to enter, as `ChatClient.connect` takes them.
        backlog: earlier messages of each room joined afresh, at most 500.
        timeout: seconds until the welcome must be there.
        reconnect: comes back whenever the line is lost.
        insist: by no other name; if left out, as `access` says.
        listen: keeps what comes, as `ChatClient.connect` has it.

    Raises:
        ConnectionFailed: in one line why it did not work.
    """
    insist = access.named if insist is None else insist
    coming = _Coming(access, rooms, backlog=backlog, reconnect=reconnect, listen=listen)
    try:
        return coming.by_some_name(
            names=[access.name] if insist else names_like(access.name), timeout=timeout
        )
    finally:
        if news := coming.trust.take_news():
            complain(news)


class _Coming:
    """One who comes in; the arguments are those of `come_in`."""

    def __init__(
        self,
        access: Access,
        rooms: Mapping[str, int | None],
        *,
        backlog: int,
        reconnect: bool,
        listen: bool,
    ) -> None:
        self.trust = access.trust()
        self._access = access
        self._rooms = rooms
        self._backlog = backlog
        self._reconnect = reconnect
        self._listen = listen

    def by_some_name(self, names: Iterable[str], timeout: float) -> ChatClient:
        """Tries one name after the other, until one of them is free."""
        deadline = time.monotonic() + timeout
        taken: ConnectionFailed | None = None
        for name in names:
            try:
                return self._by_some_key(name, deadline)
            except ConnectionFailed as failure:
                if taken and failure.code in NO_ENTRY:
                    break  # The key is good for the first name alone.
                if failure.code != "name-taken":
                    raise
                # Most likely it is the same person, who is there already.
                taken = taken or failure
        assert taken is not None, "there is a name"
        raise taken

    def _by_some_key(self, name: str, deadline: float) -> ChatClient:
        """Tries the key that was given, and the one that the server gave before."""
        given, own_keys = self._access.key, self._access.own_keys
        keys = own_keys.usable(self._access.server, name, given) if own_keys else [given]
        for key in keys:
            try:
                client = self._connect(name, key, max(deadline - time.monotonic(), SHORTEST))
            except ConnectionFailed as failure:
                if failure.code not in NO_ENTRY or failure.wants == "password" or key == keys[-1]:
                    raise
            else:
                self._keep(client)
                return client
        raise AssertionError("the last one came in, or failed")

    def _keep(self, client: ChatClient) -> None:
        key, own_keys = client.welcome.key, self._access.own_keys
        if key is None or own_keys is None:
            return
        try:
            own_keys.keep(self._access.server, client.welcome.name, key, self._access.key)
        except DataError as error:
            complain(f"{error}; so the key that the server gave you is not kept for the next time")

    def _connect(self, name: str, key: str | None, timeout: float) -> ChatClient:
        return ChatClient.connect(
            self._access.host,
            self._access.port,
            name,
            self._rooms,
            backlog=self._backlog,
            timeout=timeout,
            key=key,
            password=self._access.password,
            trust=self.trust,
            reconnect=self._reconnect,
            listen=self._listen,
        )


def names_like(name: str) -> Iterator[str]:
    """Yields `name`, ``name-2`` up to ``name-9``, and one that nobody has."""
    yield name
    for ending in [*map(str, range(2, 10)), secrets.token_hex(4)]:
        yield f"{name[: MAX_NAME - 1 - len(ending)]}-{ending}"
