"""The map of the package holds: who may import whom, who does I/O, who exits, and what lies at the top."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

PACKAGE = ROOT / "chatctl"

BASE = ["errors"]
WORDS = [*BASE, "address", "messages", "names", "since", "text"]
WIRE = [*WORDS, "deeds", "framing", "commands", "measures", "invite", "access.roles"]
STORE = [*WIRE, "history", "access", "server.admission"]
FORMATS = ["archive.accepted", "archive.formats", "archive.links", "archive.moments", "archive.output"] + [
    f"archive.{name}" for name in ("source", "jsonl", "markdown", "page", "plain")
]
TCP = ["keepalive", "tls"]
FILES = ["durable"]
LIBRARY = [f"client.{path.stem}" for path in (PACKAGE / "client").glob("*.py")]
# Module or folder, and what of the package it may import. A folder may always import what is in it; what is
# not named here, like cli, may import anything but cli.
LAYERS: dict[str, list[str]] = {
    "__init__": ["client.connection"],
    "errors": [],
    "messages": [*BASE, "names", "text"],
    "names": BASE,
    "text": BASE,
    "address": ["text"],
    "since": ["text"],
    "framing": WORDS,
    "commands": [*WORDS, "access.roles"],
    "access.roles": WORDS,
    "invite": WORDS,
    "measures": [*WORDS, "commands", "deeds"],
    "reached": WIRE,
    "qr": [],
    "deeds": WORDS,
    "web": [*WORDS, "access.roles", "commands", "deeds", "hues"],
    "hues": [],
    "keepalive": [],
    "tls": [],
    "durable": [],
    "secret": [*BASE, "text"],
    "access": [*WIRE, *FILES],
    "history": [*WIRE, *FILES],
    "administration": [*WIRE, *("access", "reached", "secret", "tls", "history.directory", "administration")],
    **{module: [*WIRE, *FORMATS] for module in FORMATS},
    "archive.output": [*WIRE, *FILES],
    "archive": [
        *WIRE,
        *("history.database", "history.directory", "history.journal", "history.rows", "history.traces"),
        *("access.address", "access.database"),
    ],
    "server.admission": [*WIRE, "server.penalties", "server.sums"],
    "server.penalties": [*WIRE, "server.sums"],
    "server.sums": BASE,
    "server.doorstep": [],
    "server.refusals": ["server.admission"],
    "server.dialects": [*STORE, "server.people", "server.first_bytes"],
    "server.dialects.choice": [*STORE, "server.dialects", "server.first_bytes", "server.web.http"],
    "server.first_bytes": [],
    "server.tls_mode": [],
    "server.people": [*STORE, "server.room"],
    "server.room": [*STORE, "server.people"],
    "server.hub": [*STORE, "server.people", "server.room"],
    **{
        f"server.web.{name}": [*STORE, "server.people", "server.dialects", "server.web"]
        for name in ("http", "request", "sites", "statuses")
    },
    "server": [*STORE, *TCP, *FILES, "reached", "qr", "", "server", "web"],
    "client": [*WIRE, *TCP, *FILES, "", *LIBRARY],
    "client.settings": [*WIRE, *FILES, *LIBRARY, "client.settings", "client.display.look"],
    "client.display": [*WIRE, *LIBRARY, "hues", "client.display"],
    "client.scripts": [*WIRE, *LIBRARY, "client.display", "client.scripts"],
    "client.terminal": [*WIRE, "secret", *LIBRARY, "client.display", "client.terminal"],
    "client.terminal.exporting": [*WIRE, *LIBRARY, *FORMATS],
}
NETWORK = {"socket", "ssl", "selectors", "select", "asyncio"}
WORLD = {*NETWORK, "os", "sys", "threading", "subprocess", "multiprocessing", "signal", "time", "logging"}
NO_IMPORTS: dict[str, set[str]] = {
    "server.hub": NETWORK,
    "server.room": NETWORK,
    "server.people": NETWORK,
    "server.dialects": NETWORK,
    **dict.fromkeys(
        [f"server.web.{name}" for name in ("http", "request", "routes", "sites", "statuses")], WORLD
    ),
    **dict.fromkeys(["server.acting", "server.admission", "server.doorstep", "server.refusals"], NETWORK),
    **dict.fromkeys(["server.penalties", "server.sums", "server.permissions"], WORLD),
    "web": WORLD,
    "history": NETWORK,
    "access": NETWORK,
    "archive": NETWORK,
    **dict.fromkeys(set(FORMATS) - {"archive.moments", "archive.output"}, WORLD),
    **dict.fromkeys(
        ["client.display.look", "client.display.themes", "client.display.literals", "client.display.markup"],
        WORLD,
    ),
    **dict.fromkeys(["client.display.emoji", "client.display.codes"], WORLD),
    **dict.fromkeys(["server.first_bytes", "server.tls_mode"], WORLD),
    **dict.fromkeys(["client.lines", "client.settings.known", "client.settings.lines"], WORLD),
    **dict.fromkeys(
        [*WORDS, "framing", "deeds", "commands", "measures", "invite", "hues"],
        WORLD,
    ),
}
MAY_EXIT = {"cli", "__main__"}
ENDS_AT_ONCE = {"server.server"}  # with os._exit, in its signal handler, when told to stop a second time
FORBIDDEN_NAMES = {
    *(
        "util",
        "utils",
        "helper",
        "helpers",
        "constant",
        "constants",
        "const",
        "type",
        "types",
        "misc",
        "common",
    )
}
TOP = {"chatctl", "tests", "pyproject.toml", "README.md", "CHANGELOG.md"}


def module_name(path: Path, package: Path) -> str:
    """Returns the name of a module inside the package: ``server.room``; of a folder its own."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path, PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(source: str, module: str, modules: set[str], *, is_folder: bool = False) -> set[str]:
    """Returns the full names of all that `source` imports, wherever in it that is done.

    Of the package's own, what follows ``from`` is counted where it is a module.
    """
    found: set[str] = set()
    parents = ["chatctl", *module.split(".")]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = node.level - is_folder
            start = parents[: len(parents) - up] if node.level else []
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            inner = {f"{base}.{alias.name}" for alias in node.names}
            known = {name for name in inner if name.removeprefix("chatctl.") in modules}
            found |= known if known == inner else known | {base}
    return found


def own_imports(module: str) -> set[str]:
    """Returns what `module` imports of the package, "" being the package itself."""
    path = MODULES[module]
    found = imports(path.read_text(), module, set(MODULES), is_folder=path.name == "__init__.py")
    return {name.removeprefix("chatctl").lstrip(".") for name in found if name.split(".")[0] == "chatctl"}


def outer_imports(module: str) -> set[str]:
    """Returns the libraries that `module` imports."""
    path = MODULES[module]
    found = imports(path.read_text(), module, set(MODULES), is_folder=path.name == "__init__.py")
    return {name.split(".")[0] for name in found} - {"chatctl"}


def within(module: str, place: str) -> bool:
    return module == place or (bool(place) and module.startswith(place + "."))


def row_of(module: str, places: Iterable[str]) -> str | None:
    """Returns the place that says most about where `module` is."""
    return max((place for place in places if within(module, place)), key=len, default=None)


def exits(source: str) -> Iterator[str]:
    """Yields what ends the process in `source`, or could end it through Typer."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] == "typer")
            case ast.ImportFrom(module="typer"):
                yield "typer"
            case ast.ImportFrom(module="sys" | "os", names=names):
                yield from (alias.name for alias in names if alias.name in ("exit", "_exit", "abort"))
            case ast.Attribute(value=ast.Name(id="sys" | "os"), attr="exit" | "_exit" | "abort"):
                yield node.attr
            case ast.Name(id="SystemExit" | "exit" | "quit"):
                yield node.id


def calls(source: str) -> set[str]:
    """Returns the plain names that `source` calls."""
    nodes = ast.walk(ast.parse(source))
    return {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


# The package


def test_the_package_is_found() -> None:
    assert {"__init__", "cli", "errors", "framing", "history", "history.memory", "server.room"} <= set(
        MODULES
    )


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    imported = own_imports(module)
    if module != "__main__" and not within(module, "cli"):
        assert not [other for other in imported if within(other, "cli")], "only __main__ may import cli"
    place = row_of(module, LAYERS)
    if place is not None:
        allowed = [place, *LAYERS[place]]
        wrong = [other for other in imported if not any(within(other, layer) for layer in allowed)]
        assert not wrong, f"{module} may import {allowed} only"


@pytest.mark.parametrize("module", MODULES)
def test_who_knows_no_network_and_no_world(module: str) -> None:
    place = row_of(module, NO_IMPORTS)
    if place is not None:
        assert not outer_imports(module) & NO_IMPORTS[place]
    if place is not None and NO_IMPORTS[place] is WORLD:
        assert not calls(MODULES[module].read_text()) & {"open", "print", "input", "exec", "eval"}


@pytest.mark.parametrize("module", [module for module in MODULES if row_of(module, MAY_EXIT) is None])
def test_only_the_command_line_exits(module: str) -> None:
    allowed = {"_exit"} if module in ENDS_AT_ONCE else set()
    assert set(exits(MODULES[module].read_text())) <= allowed


def test_no_module_is_named_for_nothing() -> None:
    named = {part for module in MODULES for part in module.split(".")}
    assert not named & FORBIDDEN_NAMES


def files_at_the_top() -> set[str]:
    """Returns what is tracked in a git checkout, and what is there in a copy of one."""
    if not (ROOT / ".git").exists():
        return {path.name for path in ROOT.iterdir()} - {"__pycache__"}
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
    files = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return {Path(file).parts[0] for file in files if file}


def test_nothing_else_lies_at_the_top() -> None:
    top = files_at_the_top()
    assert {"chatctl", "pyproject.toml"} <= top
    assert {name for name in top if not name.startswith(".")} <= TOP


# What these tests see


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path, ssl", {"os.path", "ssl"}),
        ("from chatctl.names import fold", {"chatctl.names"}),
        ("from chatctl import names", {"chatctl.names"}),
        ("from chatctl import names, VERSION", {"chatctl", "chatctl.names"}),
        ("def f():\n    from chatctl.server import hub", {"chatctl.server.hub"}),
        ("if TYPE_CHECKING:\n    from .hub import Hub", {"chatctl.server.hub"}),
        ("from . import hub", {"chatctl.server.hub"}),
        ("from .. import names", {"chatctl.names"}),
        ("from ..names import fold", {"chatctl.names"}),
        ("import chatctl", {"chatctl"}),
    ],
)
def test_imports_are_seen(source: str, expected: set[str]) -> None:
    assert imports(source, "server.room", {"names", "server", "server.hub", "server.room"}) == expected


def test_imports_of_a_folder_are_seen() -> None:
    found = imports(
        "from . import hub\nfrom .. import names", "server", {"names", "server.hub"}, is_folder=True
    )
    assert found == {"chatctl.server.hub", "chatctl.names"}


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        *(("import sys\nsys.exit(1)", True), ("from sys import exit", True), ("raise SystemExit", True)),
        *(("raise SystemExit(2)", True), ("import typer", True), ("from typer import Exit", True)),
        *(
            ("exit()", True),
            ("quit()", True),
            ("import os\nos._exit(1)", True),
            ("import sys\nsys.stderr", False),
        ),
        *(("import os\nos.open", False), ("self.exit()", False)),
    ],
)
def test_exits_are_seen(source: str, seen: bool) -> None:
    assert bool(list(exits(source))) is seen
