"""What can be typed next, for the shell's completion. All of it quickly, or nothing, and never an error."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

import typer

from chatctl.errors import ChatError

if TYPE_CHECKING:
    from chatctl.client.access import Access

SECONDS = 0.5  # that a server may take

_PLAIN = re.compile(r"[\w.-]+")  # which no shell takes for anything else


def mend_words(environment: MutableMapping[str, str]) -> None:
    """Mends ``COMP_WORDS``, as bash takes words apart at ``:`` and ``=``: HOST:PORT, or --room=ops."""
    words, at = environment["COMP_WORDS"].split("\n"), int(environment["COMP_CWORD"])
    before: list[str] = []
    for word in words[:at]:
        if word == "=":
            continue  # An option and its value may as well be two words.
        if before and (word.strip(":") == "" or (before[-1].endswith(":") and not word.startswith("-"))):
            before[-1] += word
        else:
            before.append(word)
    last = "".join(words[at : at + 1]).removeprefix("=")
    environment.update({"COMP_WORDS": "\n".join([*before, last]), "COMP_CWORD": str(len(before))})


def rooms(ctx: typer.Context) -> list[str]:
    """Returns the rooms of the server that the rest of the line, or else the settings, say."""
    from chatctl.address import DEFAULT_HOST, DEFAULT_PORT
    from chatctl.cli.options import access
    from chatctl.client.room_names import room_names

    given = ctx.params
    try:
        whereto = access(
            ctx,
            given.get("where") or _first(ctx),
            given.get("server"),
            given.get("host") or DEFAULT_HOST,
            given.get("port") or DEFAULT_PORT,
            name=given.get("name"),
            key=given.get("key"),
            password=given.get("password"),
            insecure=bool(given.get("insecure")),
        )
    except (ChatError, typer.BadParameter):
        return []
    return room_names(_careful(whereto, given.get("key")), SECONDS)


def _careful(whereto: Access, key: str | None) -> Access:
    """Returns what neither trusts a server at first sight, nor uses up an invitation."""
    from dataclasses import replace

    from chatctl.client.known_hosts import KnownHosts

    known_hosts = whereto.known_hosts and KnownHosts(whereto.known_hosts.path, adds=False)
    invited = whereto.key is not None and whereto.key != key
    return replace(whereto, key=None if invited else whereto.key, known_hosts=known_hosts)


def _first(ctx: typer.Context) -> str | None:
    """Returns an address that was not parsed, as an option behind it has no value yet."""
    return ctx.args[0] if "where" in ctx.params and ctx.args else None


def profiles() -> list[str]:
    """Returns the profiles that there are."""
    from chatctl.client.settings.reading import load

    try:
        settings = load()
    except ChatError:
        return []
    return [name for name in settings.profiles if _PLAIN.fullmatch(name)] if settings else []


def settings() -> list[tuple[str, str]]:
    """Returns the settings, and what they do."""
    from chatctl.client.settings.known import SETTINGS
    from chatctl.client.settings.reading import USED

    known = [(name, setting.words) for name, setting in SETTINGS.items()]
    return [*known, (USED, "The profile to use when none is named.")]


def values(ctx: typer.Context) -> list[str]:
    """Returns what the setting that is on the line already can be."""
    from chatctl.client.settings.known import SETTINGS
    from chatctl.client.settings.reading import USED

    name = ctx.params.get("name")
    if name == USED:
        return profiles()
    setting = SETTINGS.get(name or "")
    return list(setting.choices) if setting else []
