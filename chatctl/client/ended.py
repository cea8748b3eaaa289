"""Why a connection ended, for the one who decides whether there is to be another one."""

from __future__ import annotations

from chatctl.errors import ConnectionFailed


class LineEnded(ConnectionFailed):
    """The connection ended, or there was none.

    Attributes:
        retry: the seconds after which the server invites to come back, if it does.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str = "internal",
        retry: float | None = None,
        refused: bool = False,
        wants: str | None = None,
    ) -> None:
        super().__init__(text, code=code, refused=refused)
        self.retry = retry
        self.wants = wants
