"""The file of settings: what may be in it, where it is wrong, and how it is changed."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from itertools import count
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl import messages
from chatctl.client import greeting
from chatctl.client.directories import shown
from chatctl.client.settings import changes, known
from chatctl.client.settings.known import SETTINGS, variable
from chatctl.client.settings.lines import line_of
from chatctl.client.settings.place import settings_path
from chatctl.client.settings.reading import MAX_BYTES, Settings, load
from chatctl.errors import SettingsError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings are: there is no file yet."""
    place = tmp_path / "deep" / "er" / "config.toml"
    monkeypatch.setenv("CHATCTL_CONFIG", str(place))
    return place


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def loaded(profile: str | None = None) -> Settings:
    settings = load(profile)
    assert settings is not None
    return settings


def values(profile: str | None = None) -> dict[str, object]:
    return {name: found.value for name, found in loaded(profile).found.items()}


# Where it is


@pytest.mark.parametrize("config_home", [None, "", "/etc/here", "/etc/here/", "relative"])
def test_the_place_is_the_platforms(config_home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    if config_home is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", config_home)
    assert str(settings_path().parent) == platformdirs.user_config_dir("chatctl", appauthor=False)


def test_another_file_can_be_named(path: Path) -> None:
    assert settings_path() == path


@pytest.mark.parametrize(
    ("home", "path", "told"),
    [
        ("/home/bob", "/home/bob/.config/x", "~/.config/x"),
        ("/home/bob/", "/home/bob/x", "~/x"),
        ("/home/bob", "/home/bobby/x", "/home/bobby/x"),
        ("", "/x", "/x"),
        ("/home/bob", "/tmp/\x1b[2J\n", "/tmp/\\x1b[2J\\n"),
    ],
)
def test_a_path_is_told_from_home_on(
    home: str, path: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    assert shown(Path(path)) == told


# What it says


def test_no_file_says_nothing(path: Path) -> None:
    assert load() is None
    with pytest.raises(SettingsError, match="there is no profile"):
        load("work")


def test_all_settings(path: Path) -> None:
    text = """
        server = "example.org:99"
        name = "bob"
        room = "#Dev"
        key = "s3cret"
        insecure = true
        theme = "high-contrast"
        timestamp = "off"
        bell = "all"
        notify = "osc777"
        title = false
        plain = true
        backlog = 0
        reconnect = false
    """
    write(path, text)
    expected = tomllib.loads(text) | {"room": "dev"}
    assert values() == expected
    assert set(expected) == set(SETTINGS)


def test_of_profiles_the_one_asked_for_counts_then_the_one_the_file_uses(path: Path) -> None:
    write(
        path,
        """
        name = "all"
        bell = "off"
        default-profile = "home"
        [profile.work]
        name = "work"
        [profile.home]
        room = "home"
        """,
    )
    assert values() == {"name": "all", "bell": "off", "room": "home"}
    assert values("work") == {"name": "work", "bell": "off"}
    assert loaded().profiles == ["work", "home"]
    assert (loaded().profile, loaded("work").profile) == ("home", "work")


def test_each_value_knows_its_line(path: Path) -> None:
    write(path, 'name = "bob"\n\n[profile.work]\nroom = "ops"\n')
    settings = loaded("work")
    assert {name: settings.line(found.keys) for name, found in settings.found.items()} == {
        "name": 1,
        "room": 4,
    }


def test_defaults_are_those_of_the_rest() -> None:
    assert SETTINGS["backlog"].default == messages.DEFAULT_BACKLOG
    assert SETTINGS["room"].default == messages.LOBBY
    assert (known.MAX_BACKLOG, known.MAX_KEY) == (messages.MAX_BACKLOG, greeting.MAX_KEY)
    for setting in SETTINGS.values():
        assert setting.default is None or setting.check(setting.default) == setting.default


def test_variables() -> None:
    assert (variable("theme"), variable("reconnect")) == ("CHATCTL_THEME", "CHATCTL_NO_RECONNECT")


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_key_that_others_can_read_is_noticed(path: Path, mode: int, exposed: bool) -> None:
    write(path, '[profile.work]\nkey = "s3cret"\n')
    path.chmod(mode)
    assert loaded().exposed is exposed
    write(path, 'name = "bob"\n')
    assert not loaded().exposed


# What is wrong with it, and where

WRONG = [
    ('theme = "dark"\n\nthemes = 1', 3, "themes: there is no such setting; did you mean theme?"),
    ("x = 1", 1, "x: there is no such setting"),
    ("\n[profil.work]\n", 2, "profil: there is no such setting; did you mean profile?"),
    ("profile.work.\nx = 1", 1, "Invalid initial character for a key part"),
    ('[profile.work]\nnam = "x"', 2, "profile.work.nam: there is no such setting; did you mean name?"),
    ("[profile.work]\nprofile = {}", 2, "profile.work.profile: there is no such setting"),
    ('[profile.work]\ndefault-profile = "x"', 2, "profile.work.default-profile: there is no such setting"),
    ('profile = "work"', 1, "profile: must be tables, as [profile.work]; the one to use is default-profile"),
    ("[[profile]]", 1, "profile: must be tables, as [profile.work]; the one to use is default-profile"),
    ("[profile]\nwork = 1", 2, "profile.work: must be a table, as [profile.work]"),
    ('default-profile = "wok"\n[profile.work]', 1, 'there is no profile "wok"; did you mean work?'),
    ("default-profile = 1", 1, "default-profile: must be the name of a profile, not 1"),
    ('theme = "dim"', 1, 'theme: must be auto, dark, light, mono or high-contrast, not "dim"'),
    ("theme = true", 1, "not true"),
    ("theme = [\n  1,\n]", 1, "not a list"),
    ("[theme]", 1, "not a table"),
    ("theme = 2026-11-24", 1, "not 2026-11-24"),
    ('title = "yes"', 1, 'title: must be true or false, not "yes"'),
    ("title = 1", 1, "title: must be true or false, not 1"),
    ("backlog = true", 1, "backlog: must be a whole number from 0 to 500, not true"),
    ("backlog = 501", 1, "not 501"),
    ("backlog = -1", 1, "not -1"),
    ("backlog = 1.5", 1, "not 1.5"),
    ('backlog = "50"', 1, 'not "50"'),
    ('server = "a:b"', 1, "server: a:b is not HOST or HOST:PORT, with a port from 1 to 65535"),
    ("server = 12345", 1, 'server: must be text in quotes, as "…", not 12345'),
    ('name = "a b"', 1, "name: a name cannot hold a space"),
    ('room = ""', 1, "room: a room has 1 to 48 characters"),
    ("# c\n\nname = 1\n", 3, "name: must be text"),
    ('"a\\u001b[2J" = 1', 1, "a\\x1b[2J: there is no such setting"),
    ('name = "a\\u202e"', 1, "U+202E"),
    # What is no TOML.
    ("theme = dark", 1, "Invalid value"),
    ('name = "x"\nname = "y"', 2, "Cannot overwrite a value"),
    ('name = "x"\n[profile.a]\n[profile.a]', 3, "Cannot declare ('profile', 'a') twice"),
    ('name = "x"\ntheme = """\nx\n', 3, "Unterminated string"),
    ("title = truefalse", 1, "after a statement"),
    (b'name = "x"\nroom = "\xff"', 2, "that is not UTF-8"),
    ("x = " + "[" * 5_000, None, "too deep"),
    ("backlog = " + "9" * 5_000, None, "4300 digits"),
    (" " * (MAX_BYTES + 1), None, "is too long for a file of settings"),
]


@pytest.mark.parametrize(("text", "line", "words"), WRONG)
def test_what_is_wrong_is_told_with_its_place(
    path: Path, text: str | bytes, line: int | None, words: str
) -> None:
    write(path, text)
    with pytest.raises(SettingsError) as caught:
        load()
    told = str(caught.value)
    assert told.startswith(f"{shown(path)}{'' if line is None else f':{line}: '}")
    assert words in told
    assert told.isprintable()


@pytest.mark.parametrize("key", ["1", "true", '"s3cret\\n"', '""', '["s3cret"]', f'"{"s3cret" * 200}"'])
def test_a_wrong_key_is_not_repeated(path: Path, key: str) -> None:
    write(path, f"key = {key}\n")
    with pytest.raises(SettingsError, match=r":1: key: must be text in quotes: one line of") as caught:
        load()
    assert "s3cret" not in str(caught.value)


def test_a_profile_that_is_not_there(path: Path) -> None:
    write(path, "[profile.work]\n")
    with pytest.raises(SettingsError, match=r'there is no profile "wrk"; did you mean work\?'):
        load("wrk")


def test_what_is_no_file_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"cannot read .*config.toml: Is a directory"):
        load()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told(path: Path) -> None:
    write(path, "")
    path.chmod(0)
    with pytest.raises(SettingsError, match=r"cannot read .*config.toml: Permission denied"):
        load()


def test_what_lies_below_a_file_is_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, "")
    monkeypatch.setenv("CHATCTL_CONFIG", str(path / "config.toml"))
    assert load() is None


def test_a_byte_order_mark_is_left_out(path: Path) -> None:
    write(path, b'\xef\xbb\xbfname = "bob"\r\n')
    assert values() == {"name": "bob"}


# On which line

LINES = st.sampled_from(["", "[a]", "[profile.x]", "k0 = 1", "# [b]", "]", '"', '"""', "\\", "x = '", " = "])
ASIDES = st.lists(st.sampled_from(["", "  ", "# k0 = 1", "\t# [a]"]), max_size=2)


@st.composite
def _values(draw: st.DrawFn) -> str:
    """Returns a value as TOML has it, perhaps on several lines."""
    match draw(st.integers(0, 4)):
        case 0:
            return draw(st.sampled_from(["1", "true", "1979-05-27", "'x'", '"# x"', "{ k0 = 1, b.c = 2 }"]))
        case 1:
            return "'''" + "\n".join(draw(st.lists(LINES))) + "'''"
        case 2:
            return '"""' + json.dumps("\n".join(draw(st.lists(LINES))))[1:-1].replace("\\n", "\n") + '"""'
        case 3:
            return '"""\\\n   ' + draw(st.sampled_from(["x = 1", "[a]"])) + '"""'
    inner = [*(f"  {json.dumps(line)}, # [x]" for line in draw(st.lists(LINES))), *draw(ASIDES)]
    return "[\n" + "".join(f"{line}\n" for line in inner) + "]"


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """Returns a text, and on which line what is said in it is said first."""
    lines: list[str] = []
    said: dict[tuple[str, ...], int] = {}
    numbers = count()

    def say(text: str, *keys: str) -> None:
        for length in range(1, len(keys) + 1):
            said.setdefault(keys[:length], len(lines) + 1)
        lines.extend(text.split("\n"))

    tables = [(), *draw(st.lists(st.sampled_from([("a",), ("a", "b c"), ("d",)]), unique=True))]
    for table in tables:
        lines += draw(ASIDES)
        if table:
            say(f"[{'.'.join(map(json.dumps, table))}] # x", *table)
        for value in draw(st.lists(_values(), max_size=3)):
            lines += draw(ASIDES)
            key = f"k{next(numbers)}"
            inner = draw(st.sampled_from([[], ["x"], ["x y", "z"]]))
            say(f" {'.'.join([key, *map(json.dumps, inner)])} = {value}  # x", *table, key, *inner)
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines), said


@given(_documents())
def test_the_line_is_that_on_which_it_is_said_first(document: tuple[str, dict[tuple[str, ...], int]]) -> None:
    text, said = document
    tomllib.loads(text)
    assert {keys: line_of(text, keys) for keys in said} == said


def test_what_is_not_said_has_no_line() -> None:
    with pytest.raises(ValueError, match=r"nothing is said of a\.b"):
        line_of("a = 1", ["a", "b"])


# Changing it


def test_the_template_lists_all_says_nothing_and_can_be_uncommented(path: Path) -> None:
    write(path, changes.template())
    assert values() == {}
    lines = [line.removeprefix("#") for line in changes.template().splitlines()]
    write(path, "\n".join(line for line in lines if not line.startswith(" ")))
    assert set(values()) == set(SETTINGS)
    assert loaded().profile == "work"


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("", ("theme", "dark", None), 'theme = "dark"\n'),
        ("", ("theme", "dark", "work"), '[profile.work]\ntheme = "dark"\n'),
        ("", ("title", "off", None), "title = false\n"),
        ("", ("backlog", "007", None), "backlog = 7\n"),
        ("", ("name", 'a', "a b"), '[profile."a b"]\nname = "a"\n'),
        ("theme = 'dark' # why\n", ("theme", "mono", None), 'theme = "mono" # why\n'),
        ("# a\n#theme = \"auto\"\n# b\n", ("theme", "dark", None), '# a\ntheme = "dark"\n# b\n'),
        ("name = 'x' # c", ("room", "dev", None), "name = 'x' # c\nroom = \"dev\"\n"),
        (
            "name = 'x'\n\n# of work\n[profile.work]\nname = 'y' # y\n",
            ("room", "dev", None),
            "name = 'x'\nroom = \"dev\"\n\n# of work\n[profile.work]\nname = 'y' # y\n",
        ),
        (
            "[profile.a]\nname = 'x'\n\n# of b\n[profile.b]\n",
            ("room", "dev", "a"),
            "[profile.a]\nname = 'x'\nroom = \"dev\"\n\n# of b\n[profile.b]\n",
        ),
        ("[profile.a]\n#theme = 1\n", ("theme", "dark", None), 'theme = "dark"\n\n[profile.a]\n#theme = 1\n'),
        (
            "profile = {a = {name='x'}}\n",
            ("name", "y", "b"),
            "profile = {a = {name='x'},b = {name = \"y\"}}\n",
        ),
        ("profile.a.name = 'x'\n", ("name", "y", "a"), 'profile.a.name = "y"\n'),
        ("[profile.a]\n", ("default-profile", "a", None), 'default-profile = "a"\n\n[profile.a]\n'),
        ("theme = 1\nthemes = 2\n", ("theme", "dark", None), 'theme = "dark"\nthemes = 2\n'),
    ],
)  # fmt: skip
def test_setting_leaves_the_rest_as_it_is(
    path: Path, before: str, change: tuple[str, str, str | None], after: str
) -> None:
    if before:
        write(path, before)
    changes.put(path, *change)
    assert path.read_text() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("before", "name", "profile", "after"),
    [
        ("theme = 'dark' # why\nname = 'x' # y\n", "theme", None, "name = 'x' # y\n"),
        ("[profile.a]\nname = 'x'\n", "name", "a", "[profile.a]\n"),
        ("themes = 1\n", "themes", None, "\n"),
    ],
)
def test_taking_away(path: Path, before: str, name: str, profile: str | None, after: str) -> None:
    write(path, before)
    changes.take_away(path, name, profile)
    assert path.read_text() == after


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("theme", "dim", None), 'theme: must be auto, dark, light, mono or high-contrast, not "dim"'),
        (("thme", "dark", None), r"there is no setting thme; did you mean theme\?"),
        (("title", "maybe", None), 'title: must be true or false, not "maybe"'),
        (("backlog", "501", None), "backlog: must be a whole number from 0 to 500, not 501"),
        (("backlog", "9" * 5000, None), "backlog: must be a whole number"),
        (("name", "a b", "a"), r"name: a name cannot hold a space"),
        (("name", "b", ""), 'a profile cannot be called ""'),
        (("name", "b", "a\n"), "a profile cannot be called"),
        (("default-profile", "b", None), 'there is no profile "b"'),
        (("default-profile", "a", "a"), "there is no setting default-profile"),
        (("profile", "a", None), "there is no setting profile"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    path: Path, change: tuple[str, str, str | None], words: str
) -> None:
    write(path, "[profile.a]\n")
    with pytest.raises(SettingsError, match=words):
        changes.put(path, *change)
    assert path.read_text() == "[profile.a]\n"


@pytest.mark.parametrize(
    ("name", "profile"), [("theme", None), ("theme", "b"), ("profile", None), ("x", "a")]
)
def test_what_is_not_set_cannot_be_taken_away(path: Path, name: str, profile: str | None) -> None:
    write(path, "[profile.a]\n")
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        changes.take_away(path, name, profile)


def test_what_is_no_toml_is_not_changed(path: Path) -> None:
    write(path, "theme = dark\n")
    with pytest.raises(SettingsError, match=":1: Invalid value"):
        changes.put(path, "theme", "dark", None)
    assert path.read_text() == "theme = dark\n"


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    write(path, "")
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    changes.put(link, "theme", "dark", None)
    assert link.is_symlink()
    assert path.read_text() == 'theme = "dark"\n'


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(SettingsError, match="that is no file"):
        changes.write(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()


def test_where_nothing_can_be_written_that_is_told(path: Path) -> None:
    write(path, "")
    with pytest.raises(SettingsError, match=r"cannot write .*: that is in a file"):
        changes.write(path / "config.toml", "x")
