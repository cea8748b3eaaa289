"""The chatctl protocol itself: frames as lines of JSON."""

from __future__ import annotations

from chatctl.framing import client_frames as reader
from chatctl.framing import encode_all as encode

__all__ = ["encode", "reader"]
