"""What one is on a server: one's role, and whether one has given an account's password. No I/O."""

from __future__ import annotations

from chatctl.access.roles import REDACT, is_at_least
from chatctl.client.display.labels import role_label
from chatctl.messages import Account, Role, Welcome
from chatctl.text import one_line


class Standing:
    """What one is on a server.

    Attributes:
        role: what one may do.
        account: one came by an account's password, or gave it since.
    """

    def __init__(self, welcome: Welcome) -> None:
        self.role: Role
        self.account: bool
        self.renew(welcome)

    def renew(self, welcome: Welcome) -> None:
        """Takes in what the server says on coming back."""
        self.role, self.account = welcome.role, welcome.account

    @property
    def may_redact(self) -> bool:
        """Whether one may take away messages: one's own, or those of all."""
        return self.account or is_at_least(self.role, REDACT)

    def learn(self, account: Account) -> str:
        """Takes in what one is from now on; returns what is to be told of that, in words."""
        role, had_one = self.role, self.account
        self.role, self.account = account.role, account.account
        news = []
        if account.account and not had_one:
            news.append(f"you are {one_line(account.name)}, with an account")
        elif had_one and not account.account:
            news.append("you have no account any more")
        if account.role != role:
            news.append(f"you are {role_label(account.role)} now")
        if not news and account.re is not None:
            news.append("your account has the password that you gave")
        return "; ".join(news)
