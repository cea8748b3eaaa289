"""What can be typed next, for the shell's completion. All of it quickly, or nothing, and never an error."""

from __future__ import annotations

import re

import typer

from chatctl.errors import ChatError

SECONDS = 0.5  # that a server may take

_PLAIN = re.compile(r"[\w.-]+")  # which no shell takes for anything else


def rooms(ctx: typer.Context) -> list[str]:
    """Returns the rooms of the server that the rest of the line, or else the settings, say."""
    from chatctl.cli.options import access
    from chatctl.client.access import DEFAULT_HOST, DEFAULT_PORT
    from chatctl.client.room_names import room_names

    given = ctx.params
    try:
        whereto = access(
            ctx,
            where=given.get("where") or _first(ctx),
            server=given.get("server"),
            host=given.get("host") or DEFAULT_HOST,
            port=given.get("port") or DEFAULT_PORT,
            name=given.get("name"),
            key=given.get("key"),
        )
    except (ChatError, typer.BadParameter):
        return []
    return room_names(whereto, SECONDS)


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
