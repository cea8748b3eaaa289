"""All that is kept of who may do what, opened together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from chatctl.access.accounts import Accounts
from chatctl.access.audit import Audit
from chatctl.access.bans import Bans
from chatctl.access.database import Database
from chatctl.access.keys import Keys
from chatctl.access.mail import Mail
from chatctl.access.rules import Rules


class AccessBook:
    """Who may do what on one server. Thread-safe.

    Args:
        directory: of the data, which exists; None keeps all in memory.
        clock: returns seconds since the Unix epoch.

    Raises:
        DataError: it cannot be opened, in one line why.
    """

    def __init__(self, directory: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(directory)
        try:
            self.keys = Keys(self._database, clock)
            self.accounts = Accounts(self._database, clock)
            self.bans = Bans(self._database, clock)
            self.rules = Rules(self._database)
            self.mail = Mail(self._database)
            self.audit = Audit(self._database, clock)
        except BaseException:
            self._database.close()
            raise

    def refresh(self) -> bool:
        """Takes over what another process has changed; returns whether one did. Asks little if not.

        Raises:
            StorageError: it cannot be read.
        """
        return self._database.refresh()

    @property
    def changes(self) -> int:
        """How often it has changed who may do what, as far as this process knows."""
        return self._database.changes

    def close(self) -> None:
        """Closes it; nobody may be using it any more."""
        self._database.close()

    def __enter__(self) -> AccessBook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
