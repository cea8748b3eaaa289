"""The formats in which a history is written, and how files of each are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chatctl.archive import jsonl, markdown, page, plain
from chatctl.archive.source import Source

FORMATS: dict[str, Callable[[Source[Any]], Iterator[bytes]]] = {
    "jsonl": jsonl.write,
    "markdown": markdown.write,
    "html": page.write,
    "text": plain.write,
}
SUFFIXES = {".jsonl": "jsonl", ".md": "markdown", ".html": "html", ".txt": "text"}


def format_of(path: Path | None) -> str:
    """Returns the format for a file of this name: ``jsonl``, if its suffix says nothing else."""
    return SUFFIXES.get(path.suffix.lower(), "jsonl") if path else "jsonl"
