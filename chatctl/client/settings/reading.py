"""Reads the settings, and says what is wrong with them and where."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatctl.client.directories import shown
from chatctl.client.settings.known import SETTINGS, Value, told, variable
from chatctl.client.settings.place import settings_path
from chatctl.errors import SettingsError
from chatctl.text import one_line

MAX_BYTES = 1 << 18  # of a file: many times what all settings take
PROFILE = "profile"  # the table that holds them
USED = "default-profile"  # the one that is used when nobody asks for one; not `profile`, as that is a table


@dataclass(frozen=True, slots=True)
class Found:
    """A value that is in the file.

    Attributes:
        value: has been checked.
        keys: where it is in the file, from the top on.
    """

    value: Value
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says.

    Attributes:
        path: of the file.
        text: all of it.
        profile: the one that is used, if any.
        found: what counts, by setting: of the profile, or else of all.
        profiles: all that there are.
        exposed: it holds a key, and others than its owner may read it.
    """

    path: Path
    text: str
    profile: str | None
    found: dict[str, Found]
    profiles: list[str]
    exposed: bool

    def by_variable(self) -> dict[str, Value]:
        """Returns what is set by the names of the variables that would say the same."""
        return {
            variable(name): not found.value if SETTINGS[name].negated else found.value
            for name, found in self.found.items()
        }

    def line(self, keys: Sequence[str]) -> int:
        """Returns the line on which something is said of `keys`, from the top on."""
        from chatctl.client.settings.lines import line_of

        return line_of(self.text, keys)


def load(profile: str | None = None) -> Settings | None:
    """Returns what is set; None if there is no file.

    Args:
        profile: the one to use; None for the one that the file itself says, if it does.

    Raises:
        SettingsError: the file cannot be read, something in it is no setting, or there is no such profile.
    """
    path = settings_path()
    read = read_text(path)
    if read is None:
        if profile is not None:
            raise SettingsError(f"there is no profile {told(profile)}: there is no {shown(path)}")
        return None
    text, mode = read
    return _checked(path, text, profile, readable_by_others=bool(mode & 0o044))


def read_text(path: Path) -> tuple[str, int] | None:
    """Returns what is in a file, and its mode; None if there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {shown(path)}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{shown(path)} is too long for a file of settings")
    try:
        return data.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{shown(path)}:{line}: that is not UTF-8") from None


def parse_file(path: Path, text: str) -> dict[str, Any]:
    """Returns what a file says.

    Raises:
        SettingsError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{shown(path)}: lists or tables in it are too deep") from None
    except ValueError as error:
        from chatctl.client.settings.lines import place_of

        line, what = place_of(error, text)
        raise SettingsError(f"{shown(path)}:{line}: {one_line(what)}") from None


# Checking


def _checked(path: Path, text: str, profile: str | None, *, readable_by_others: bool) -> Settings:
    table = parse_file(path, text)

    def complain(keys: Sequence[str], what: str) -> SettingsError:
        from chatctl.client.settings.lines import line_of

        place = f"{shown(path)}:{line_of(text, keys)}"
        return SettingsError(f"{place}: {'.'.join(map(one_line, keys))}: {what}")

    profiles = _profiles(table, complain)
    common = {name: value for name, value in table.items() if name not in (PROFILE, USED)}
    found = _check((), common, complain)
    of_each = {name: _check((PROFILE, name), values, complain) for name, values in profiles.items()}
    used = _used(table, complain, profiles)
    if profile is not None and profile not in profiles:
        raise SettingsError(f"{shown(path)}: there is no profile {told(profile)}{meant(profile, profiles)}")
    chosen = profile or used
    return Settings(
        path=path,
        text=text,
        profile=chosen,
        found=found | of_each.get(chosen or "", {}),
        profiles=list(profiles),
        exposed=readable_by_others and any(map(_has_key, (found, *of_each.values()))),
    )


def _has_key(values: dict[str, Found]) -> bool:
    """Whether somebody who read this could come in: by a key, or by a link that has one."""
    return "key" in values or ("server" in values and "#" in str(values["server"].value))


Complain = Callable[[Sequence[str], str], SettingsError]


def _profiles(table: dict[str, Any], complain: Complain) -> dict[str, dict[str, Any]]:
    profiles = table.get(PROFILE, {})
    if not isinstance(profiles, dict):
        raise complain([PROFILE], f"must be tables, as [profile.work]; the one to use is {USED}")
    for name, values in profiles.items():
        if not isinstance(values, dict):
            raise complain([PROFILE, name], f"must be a table, as [profile.{one_line(name)}]")
    return profiles


def _check(place: tuple[str, ...], values: dict[str, Any], complain: Complain) -> dict[str, Found]:
    found = {}
    for name, value in values.items():
        keys = (*place, name)
        if name not in SETTINGS:
            known = SETTINGS if place else [*SETTINGS, PROFILE, USED]
            raise complain(keys, f"there is no such setting{meant(name, known)}")
        try:
            found[name] = Found(SETTINGS[name].check(value), keys)
        except ValueError as error:
            raise complain(keys, str(error)) from None
    return found


def _used(table: dict[str, Any], complain: Complain, profiles: Iterable[str]) -> str | None:
    used = table.get(USED)
    if used is None:
        return None
    if not isinstance(used, str):
        raise complain([USED], f"must be the name of a profile, not {told(used)}")
    if used not in profiles:
        raise complain([USED], f"there is no profile {told(used)}{meant(used, profiles)}")
    return used


def meant(name: str, known: Iterable[str]) -> str:
    """Returns what to add where `name` is not one of `known`: the one that was meant, perhaps."""
    from difflib import get_close_matches

    matches = get_close_matches(name, known, 1)
    return f"; did you mean {one_line(matches[0])}?" if matches else ""
