"""Changes the file of settings, and leaves all else in it as it is, comments too."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from chatctl.client.directories import shown
from chatctl.client.private import alone
from chatctl.client.settings.known import SETTINGS, Value, parse, told
from chatctl.client.settings.lines import end_of
from chatctl.client.settings.reading import PROFILE, USED, meant, parse_file, read_text
from chatctl.durable import put_file
from chatctl.errors import SettingsError
from chatctl.text import one_line

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import InlineTable, Table


def template() -> str:
    """Returns the text of a file that says nothing, but lists all that could be said."""
    lines = ["# Settings of chatctl. What is given on the command line or in the environment comes first."]
    for name, setting in SETTINGS.items():
        value = setting.example if setting.default is None else setting.default
        lines += ["", f"# {setting.words}", f"#{name} = {told(value)}"]
    lines += ["", "# The profile to use when --profile names none.", f'#{USED} = "work"']
    lines += ["", "# What is said in a profile comes before what is said above.", f"#[{PROFILE}.work]"]
    return "\n".join([*lines, '#server = "chat.example.org:12345"', ""])


def put(path: Path, name: str, text: str, profile: str | None) -> None:
    """Sets a setting.

    Args:
        path: of the file; it is made if there is none.
        name: of a setting, or `USED`.
        text: what it is to be, as people write it.
        profile: in which to do it; None for all.

    Raises:
        SettingsError: it cannot be that, or the file is not TOML, or cannot be read or written.
    """
    with alone(Path(os.path.realpath(path)).parent):
        text_before, before = _read(path)
        value = _checked(name, text, profile, before)
        _change(path, text_before, before, _Change(name, value, profile))


def take_away(path: Path, name: str, profile: str | None) -> None:
    """Takes a setting away, or what is none but is in the file.

    Raises:
        SettingsError: it is not there, or the file is not TOML, or cannot be read or written.
    """
    with alone(Path(os.path.realpath(path)).parent):
        text, before = _read(path)
        change = _Change(name, None, profile)
        if name == PROFILE or change.made(before) == before:
            raise SettingsError(f"{one_line(name)} is not set")
        _change(path, text, before, change)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    read = read_text(path)
    text = "" if read is None else read[0]
    return text, parse_file(path, text)


def _checked(name: str, text: str, profile: str | None, before: dict[str, Any]) -> Value:
    if name == USED and profile is None:
        if text not in (profiles := before.get(PROFILE, {})):
            raise SettingsError(f"there is no profile {told(text)}{meant(text, profiles)}")
        return text
    if name not in SETTINGS:
        raise SettingsError(f"there is no setting {one_line(name)}{meant(name, [*SETTINGS, USED])}")
    if profile is not None and not (profile and profile.isprintable()):
        raise SettingsError(f"a profile cannot be called {told(profile)}")
    try:
        return parse(name, text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


class _Change(NamedTuple):
    """What is to be done: a value is set, or taken away where that is None."""

    name: str
    value: Value | None
    profile: str | None

    def made(self, before: dict[str, Any]) -> dict[str, Any]:
        """Returns what the file is to say."""
        after = copy.deepcopy(before)
        place = after
        for key in () if self.profile is None else (PROFILE, self.profile):
            if self.value is None and key not in place:
                return after
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise SettingsError(f"{one_line(key)} is no table: use chatctl config edit")
        if self.value is None:
            place.pop(self.name, None)
        else:
            place[self.name] = self.value
        return after

    def uncommented(self, text: str) -> str:
        """Returns `text` with the value in place of one in a comment, as the template has them."""
        if self.value is None:
            return text
        line = f"{self.name} = {told(self.value)}"
        return re.sub(rf"^#{re.escape(self.name)} = .*$", lambda _: line, text, count=1, flags=re.MULTILINE)

    def added(self, text: str) -> str:
        """Returns `text` with the value below the last one of its table, if there is such a table."""
        end = end_of(text, [] if self.profile is None else [PROFILE, self.profile])
        if self.value is None or end is None:
            return text
        lines = text.rstrip("\n").split("\n")
        lines[end:end] = [f"{self.name} = {told(self.value)}", *([""] if end == 0 and lines[0] else [])]
        return "\n".join(lines).rstrip("\n") + "\n"

    def rewritten(self, text: str) -> str:
        """Returns `text` with the value changed or taken away, if that can be done."""
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            document = tomlkit.parse(text)
            place = document if self.profile is None else _profile(document, self.profile)
            if self.value is None:
                del place[self.name]
            else:
                place[self.name] = self.value
            return tomlkit.dumps(document).rstrip("\n") + "\n"
        except (TOMLKitError, ValueError):
            return text


def _change(path: Path, text: str, before: dict[str, Any], change: _Change) -> None:
    """Writes the file so that it says what it is to say: no more and no less."""
    after = change.made(before)
    if after == before:
        return
    for change_text in (change.uncommented, change.added, change.rewritten):
        if _says(changed := change_text(text)) == after:
            write(path, changed)
            return
    raise SettingsError(f"cannot change {shown(path)} as it is written: use chatctl config edit")


def _says(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except ValueError:
        return None


def _profile(document: TOMLDocument, name: str) -> Table | InlineTable:
    """Returns the table of a profile, which is made if there is none."""
    import tomlkit
    from tomlkit.items import InlineTable

    profiles: Any = document.setdefault(PROFILE, tomlkit.table(is_super_table=True))
    if name not in profiles:
        profiles[name] = tomlkit.inline_table() if isinstance(profiles, InlineTable) else tomlkit.table()
    table: Table | InlineTable = profiles[name]
    return table


# Writing


def write(path: Path, text: str) -> None:
    """Makes a file, or replaces it at once; nobody but this user may read it.

    Raises:
        SettingsError: it cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise SettingsError(f"cannot write {shown(path)}: that is no file")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        put_file(path, text.encode())
    except OSError as error:
        why = "that is in a file" if isinstance(error, FileExistsError) else error.strerror
        raise SettingsError(f"cannot write {shown(path)}: {why}") from None
