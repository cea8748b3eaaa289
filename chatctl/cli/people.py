"""The commands for who may come in and what they may do: on a data directory, beside its server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl.cli.links import print_links
from chatctl.cli.options import DataDirectory, data_directory
from chatctl.errors import ChatError, Refused

if TYPE_CHECKING:
    from chatctl.messages import Role

FOR_GOOD = ("never", "0")

AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")]
Account = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Whose account.")]


class RoleName(StrEnum):
    """What somebody may do, as it is given."""

    owner = "owner"
    moderator = "moderator"
    member = "member"
    guest = "guest"

    @property
    def role(self) -> Role:
        """The same for all that is no command."""
        return self.value


@contextmanager
def _told() -> Iterator[None]:
    """Tells refusals as what they are here: no server said them."""
    try:
        yield
    except Refused as refusal:
        raise ChatError(str(refusal)) from None


# Invitations

invite = typer.Typer(
    invoke_without_command=True,
    help="""Make an invitation, and print the line to send.

    Examples:
        chatctl invite --room ops --ttl 7d
        chatctl invite --uses 0 --role guest --qr
        chatctl invite list
    """,
)


def _ttl(value: str) -> str:
    from chatctl.text import parse_duration

    try:
        if value not in FOR_GOOD:
            parse_duration(value)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or never") from None
    return value


@invite.callback()
def _invite(
    ctx: typer.Context,
    room: Annotated[str, typer.Option(metavar="ROOM", help="The room it leads to.")] = "lobby",
    uses: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="How many may come in by it; 0: any number.")
    ] = 1,
    ttl: Annotated[
        str, typer.Option(metavar="TIME", callback=_ttl, help="How long it can be used: 2h, 7d, or never.")
    ] = "24h",
    role: Annotated[
        RoleName, typer.Option(case_sensitive=False, help="What who comes in by it may do.")
    ] = RoleName.member,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it too, for a telephone.")] = False,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            show_default="where the server listens",
            help="Where the server is reached from elsewhere.",
        ),
    ] = None,
    data: DataDirectory = None,
) -> None:
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    from chatctl.administration import inviting
    from chatctl.administration.opening import open_or_make_book
    from chatctl.text import parse_duration

    seconds = None if ttl in FOR_GOOD else parse_duration(ttl)
    invited = inviting.Invited(room, uses or None, seconds, role.role)
    named, port = _address(host)
    directory = data_directory(data)
    with _told(), open_or_make_book(directory) as book:
        server = inviting.find_server(directory, named, port)
        links = inviting.invite(book, invited, server)
    print_links(links, tls=server.tls, qr=qr)


def _refuse_options(ctx: typer.Context) -> None:
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            hint = f"stands behind {ctx.invoked_subcommand}, if at all"
            raise typer.BadParameter(hint, param_hint=parameter.opts[0])


def _address(given: str | None) -> tuple[str | None, int | None]:
    from chatctl.address import split_address

    if given is None:
        return None, None
    try:
        host, port = split_address(given, 0)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host") from None
    return host, port or None


@invite.command("list")
def _list_invitations(data: DataDirectory = None, as_json: AsJson = False) -> None:
    """Show the invitations, and who came in by them.

    Examples:
        chatctl invite list
    """
    from chatctl.administration import listing
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        listing.show(listing.invitations(book), as_json=as_json)


@invite.command("revoke")
def _revoke(
    id_: Annotated[int, typer.Argument(metavar="ID", min=1, show_default=False, help="As list shows it.")],
    data: DataDirectory = None,
) -> None:
    """End an invitation, also for those who came in by it.

    Examples:
        chatctl invite revoke 3
    """
    from chatctl.administration import inviting
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        inviting.revoke(book, id_)
    typer.echo(f"invitation {id_} lets nobody in any more")


# Accounts

user = typer.Typer(
    no_args_is_help=True,
    help="""Make, change and remove accounts.

    Examples:
        chatctl user add ann --role owner
    """,
)


@user.command("add")
def _add(
    name: Account,
    role: Annotated[RoleName, typer.Option(case_sensitive=False, help="What they may do.")] = RoleName.member,
    data: DataDirectory = None,
) -> None:
    """Make an account; its password is asked for.

    Where there is no terminal, the password is the first line of standard input, or in CHATCTL_PASSWORD.

    Examples:
        chatctl user add ann --role owner
    """
    from chatctl.administration import people
    from chatctl.administration.opening import open_or_make_book
    from chatctl.administration.passwords import new_password

    with _told(), open_or_make_book(data_directory(data)) as book:
        added = people.add(book, name, role.role, new_password)
    typer.echo(f"{added} has an account now, as {role.value}")


@user.command("list")
def _list_accounts(data: DataDirectory = None, as_json: AsJson = False) -> None:
    """Show the accounts.

    Examples:
        chatctl user list --json
    """
    from chatctl.administration import listing
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        listing.show(listing.accounts(book), as_json=as_json)


@user.command("passwd")
def _passwd(name: Account, data: DataDirectory = None) -> None:
    """Give an account another password; it is asked for.

    Where there is no terminal, it is the first line of standard input, or in CHATCTL_PASSWORD.

    Examples:
        chatctl user passwd ann
    """
    from chatctl.administration import people
    from chatctl.administration.opening import open_book
    from chatctl.administration.passwords import new_password

    with _told(), open_book(data_directory(data)) as book:
        changed = people.change_password(book, name, new_password)
    typer.echo(f"{changed} has another password now")


@user.command("remove")
def _remove(name: Account, data: DataDirectory = None) -> None:
    """Remove an account; its name is free again.

    Examples:
        chatctl user remove ann
    """
    from chatctl.administration import people
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        removed = people.remove(book, name)
    typer.echo(f"{removed} has no account any more")


@user.command("role")
def _role(
    name: Account,
    role: Annotated[
        RoleName,
        typer.Argument(metavar="ROLE", case_sensitive=False, show_default=False, help="What they may do."),
    ],
    data: DataDirectory = None,
) -> None:
    """Give an account another role: owner, moderator, member or guest.

    Examples:
        chatctl user role ann moderator
    """
    from chatctl.administration import people
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        changed = people.change_role(book, name, role.role)
    typer.echo(f"{changed} is {role.value} now")


# What was done


def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Entries, at most.")] = 50,
    data: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Show what moderators and administrators did.

    Examples:
        chatctl audit --limit 200
    """
    from chatctl.administration import listing
    from chatctl.administration.opening import open_book

    with _told(), open_book(data_directory(data)) as book:
        listing.show(listing.audit(book, limit), as_json=as_json)
