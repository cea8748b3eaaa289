"""Slash commands: one table, from which come parsing, help and completion. Knows no terminal and no sockets.

A line is turned into an action by `parse`; whoever reads lines from people acts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import takewhile
from typing import Literal

from msgspec import Struct

from chatctl.access.roles import INVITE, MEASURES, SET_MODES, is_at_least
from chatctl.errors import ChatError
from chatctl.messages import Measure, Role
from chatctl.text import one_line, parse_duration

LONGEST = 10 * 366 * 86_400  # seconds
MAX_WORD_SHOWN = 32  # characters of an unknown command that its error repeats


class UsageError(ChatError):
    """A line that cannot be acted on as it was typed."""

    code = "bad-text"


# What a line may ask for


class Say(Struct, frozen=True):
    """Say `text` in the room."""

    text: str


class Help(Struct, frozen=True):
    """List the commands."""


class Nick(Struct, frozen=True):
    """Take another name."""

    name: str


class Me(Struct, frozen=True):
    """Say what one does."""

    text: str


class Msg(Struct, frozen=True):
    """Send a private message."""

    name: str
    text: str


class Reply(Struct, frozen=True):
    """Answer the last private message."""

    text: str


class Who(Struct, frozen=True):
    """Show who is in `room`, or in the room one is in."""

    room: str = ""


class Rooms(Struct, frozen=True):
    """List the rooms."""


class Join(Struct, frozen=True):
    """Enter `room`."""

    room: str


class Part(Struct, frozen=True):
    """Leave `room`, or the room one is in."""

    room: str = ""


class Topic(Struct, frozen=True):
    """Set the topic; show it if `text` is empty."""

    text: str = ""


class Focus(Struct, frozen=True):
    """Talk in another room one is in: its name, or its number in the prompt."""

    room: str


class Whois(Struct, frozen=True):
    """Show what is known of a person."""

    name: str


class Ignore(Struct, frozen=True):
    """Hide what `name` says and does; list who is hidden if it is empty."""

    name: str = ""


class Unignore(Struct, frozen=True):
    """Show `name` again."""

    name: str


class Away(Struct, frozen=True):
    """Tell those who ask, or write privately, that one is away, and why."""

    text: str = "away"


class Back(Struct, frozen=True):
    """Be away no more."""


class History(Struct, frozen=True):
    """Show what was said in the room: the last messages, so many of them, or all since a time."""

    since: str = ""


class Search(Struct, frozen=True):
    """Find messages by their words, in all rooms."""

    text: str


class Export(Struct, frozen=True):
    """Write all that is kept of the room to a file."""

    path: str


class Choose(Struct, frozen=True):
    """Change how the chat looks or sounds; show how it does if `value` is empty.

    Attributes:
        what: the attribute of `client.display.look.Look`.
        value: one of the command's choices.
    """

    what: str
    value: str = ""


class Register(Struct, frozen=True):
    """Make one's name an account; the password is asked for."""


class Login(Struct, frozen=True):
    """Be the one whose account `name` is, or that of one's own name; the password is asked for."""

    name: str = ""


class Invite(Struct, frozen=True):
    """Ask for a link that lets somebody in, for so many seconds."""

    seconds: int | None = None


class Moderate(Struct, frozen=True):
    """Do something about a person, for so many seconds or for good."""

    what: Measure
    whom: str
    seconds: int | None = None
    reason: str = ""


class Banned(Struct, frozen=True):
    """List who is banned or muted."""


class Redact(Struct, frozen=True):
    """Take away what a message says: its id, or the name of a person for their last one."""

    what: str
    reason: str = ""


class TopicLock(Struct, frozen=True):
    """Let only moderators set the topic, or everybody; show who may if `value` is empty."""

    value: str = ""


class Mode(Struct, frozen=True):
    """Change who may enter, see and speak in the room; show that if `choice` is empty."""

    choice: str = ""


class Clear(Struct, frozen=True):
    """Clear the screen."""


class Quit(Struct, frozen=True):
    """Leave the chat."""


Action = (
    Say
    | Help
    | Nick
    | Me
    | Msg
    | Reply
    | Who
    | Whois
    | Rooms
    | Join
    | Part
    | Focus
    | Topic
    | Ignore
    | Unignore
    | Away
    | Back
    | History
    | Search
    | Export
    | Choose
    | Register
    | Login
    | Invite
    | Moderate
    | Banned
    | Redact
    | TopicLock
    | Mode
    | Clear
    | Quit
)


# The table


class Argument(Struct, frozen=True):
    """What a command takes.

    Attributes:
        label: what help calls it.
        needs: what is said where it is missing.
        optional: it may be left out.
        rest: it is the rest of the line, not one word.
        completes: what its beginning can be completed to.
        choices: what it can be, where that is known.
        time: it is a duration; a word that cannot be meant as one belongs to what follows.
    """

    label: str
    needs: str = ""
    optional: bool = False
    rest: bool = False
    completes: Literal["names", "rooms", ""] = ""
    choices: tuple[str, ...] = ()
    time: bool = False


class Command(Struct, frozen=True):
    """One row: what is typed after the slash, the action it makes, what that takes, and one line of help.

    Attributes:
        role: the least that it takes; to others it is not shown.
        is_secret: a password may be typed behind it by mistake: what is too much is not repeated.
    """

    name: str
    action: Callable[..., Action]
    arguments: tuple[Argument, ...]
    help: str
    role: Role = "guest"
    is_secret: bool = False

    @property
    def usage(self) -> str:
        """How it is typed, as help shows it."""
        labels = (f"[{a.label}]" if a.optional else a.label for a in self.arguments)
        return " ".join([f"/{self.name}", *labels])


_NEW_NAME = Argument("NAME", "needs a name")
_NAME = Argument("NAME", "needs a name", completes="names")
_ANY_NAME = Argument("NAME", optional=True, completes="names")
_TEXT = Argument("TEXT", "needs a text", rest=True)
_ANY_TEXT = Argument("TEXT", optional=True, rest=True)
_ROOM = Argument("ROOM", "needs a room", completes="rooms")
_ANY_ROOM = Argument("ROOM", optional=True, completes="rooms")
_SINCE = Argument("COUNT|TIME", optional=True, rest=True)
_FILE = Argument("FILE", "needs a file", rest=True)
_WHOM = Argument("WHOM", "needs a name, an address, or a range of addresses", completes="names")
_WHAT = Argument("WHAT", "needs the number of a message, or a name", completes="names")
_TIME = Argument("TIME", optional=True, time=True)
_REASON = Argument("REASON", optional=True, rest=True)
# What the choices of `/topic-lock` and `/mode` make of a room, as `messages.SetMode` has it.
LOCKS: dict[str, dict[str, bool]] = {"on": {"topic_locked": True}, "off": {"topic_locked": False}}
MODES: dict[str, dict[str, bool]] = {
    "invite-only": {"invite_only": True},
    "public": {"invite_only": False},
    "hidden": {"hidden": True},
    "shown": {"hidden": False},
    "read-only": {"read_only": True},
    "writable": {"read_only": False},
}
_ON_OFF = Argument("on|off", optional=True, choices=tuple(LOCKS))
_CHOICE = Argument("CHOICE", optional=True, choices=tuple(MODES))


def _choice(what: str, choices: tuple[str, ...], help_: str) -> Command:
    """Returns a command that changes an attribute of the look."""
    argument = Argument("HOW", optional=True, choices=choices)
    return Command(what, partial(Choose, what), (argument,), f"{help_}: {', '.join(choices)}")


def _invite(time: str = "") -> Invite:
    return Invite(_seconds(time))


def _for_a_time(what: Measure, whom: str, time: str = "", reason: str = "") -> Moderate:
    return Moderate(what, whom, _seconds(time), reason)


def _at_once(what: Measure, whom: str, reason: str = "") -> Moderate:
    return Moderate(what, whom, None, reason)


def _seconds(time: str) -> int | None:
    return parse_duration(time) if time else None


def _measure(what: Measure, *arguments: Argument, help_: str) -> Command:
    """Returns a command that does something about a person."""
    action = partial(_for_a_time if _TIME in arguments else _at_once, what)
    return Command(what, action, arguments, help_, MEASURES[what])


COMMANDS = (
    Command("help", Help, (), "list the commands"),
    Command("nick", Nick, (_NEW_NAME,), "take another name"),
    Command("me", Me, (_TEXT,), "say what you do: /me waves"),
    Command("msg", Msg, (_NAME, _TEXT), "send a private message"),
    Command("reply", Reply, (_TEXT,), "answer the last private message"),
    Command("who", Who, (_ANY_ROOM,), "show who is in the room"),
    Command("whois", Whois, (_NAME,), "show what is known of someone"),
    Command("away", Away, (_ANY_TEXT,), "tell who writes to you that you are away"),
    Command("back", Back, (), "be away no more"),
    Command("ignore", Ignore, (_ANY_NAME,), "hide what someone says; list who is hidden"),
    Command("unignore", Unignore, (_NAME,), "show someone again"),
    Command("rooms", Rooms, (), "list the rooms"),
    Command("join", Join, (_ROOM,), "enter a room, or go to one you are in"),
    Command("part", Part, (_ANY_ROOM,), "leave the room"),
    Command("focus", Focus, (_ROOM,), "talk in another of your rooms; Alt-1 to Alt-9 too"),
    Command("topic", Topic, (_ANY_TEXT,), "show or set the room's topic"),
    Command("history", History, (_SINCE,), "show what was said: /history 200, or 2h"),
    Command("search", Search, (_TEXT,), "find messages by their words, in all rooms"),
    Command("export", Export, (_FILE,), "write the room to a .jsonl, .md, .html, .txt file"),
    _choice("timestamp", ("off", "time", "datetime"), "in front of messages"),
    _choice("bell", ("off", "mentions", "all"), "what rings"),
    _choice("notify", ("off", "osc9", "osc777"), "tell the desktop too"),
    _choice("theme", ("auto", "dark", "light", "mono", "high-contrast"), "colours"),
    Command("register", Register, (), "give your name a password: it is yours then", is_secret=True),
    Command("login", Login, (_ANY_NAME,), "prove that a name is yours, by its password", is_secret=True),
    Command("invite", _invite, (_TIME,), "make a link that lets one in, for a day or TIME", INVITE),
    _measure("kick", _NAME, _REASON, help_="throw someone out"),
    _measure("ban", _WHOM, _TIME, _REASON, help_="let someone in no more: /ban eve 2h spam"),
    _measure("unban", _WHOM, _REASON, help_="let someone in again"),
    Command("banned", Banned, (), "list who is banned or muted", MEASURES["ban"]),
    _measure("mute", _NAME, _TIME, _REASON, help_="let someone say nothing: /mute eve 10m"),
    _measure("unmute", _NAME, _REASON, help_="let someone speak again"),
    _measure("op", _NAME, help_="make someone with an account a moderator"),
    _measure("deop", _NAME, help_="make a moderator a member again"),
    _measure("allow", _NAME, help_="let an account into this invite-only room"),
    _measure("disallow", _NAME, help_="let it in no more"),
    Command("redact", Redact, (_WHAT, _REASON), "take away message #17, or someone's last one"),
    Command("topic-lock", TopicLock, (_ON_OFF,), "let only moderators set the topic", SET_MODES),
    Command("mode", Mode, (_CHOICE,), "say who may enter, see and speak in this room", SET_MODES),
    Command("clear", Clear, (), "clear the screen"),
    Command("quit", Quit, (), "leave the chat; exit does too"),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def help_text(role: Role = "owner", without: Collection[str] = ()) -> str:
    """Returns the commands that somebody of this role can use, one a line, and what else can be typed.

    Args:
        role: what they may do.
        without: names of commands that they cannot use where they are.
    """
    usable = (command for command in COMMANDS if command.name not in without)
    rows = [(command.usage, command.help) for command in usable if is_at_least(role, command.role)]
    rows.append(("//TEXT", "say TEXT with one slash in front"))
    width = max(len(usage) for usage, _ in rows)
    return "\n".join(f"{usage:{width}}  {help_}" for usage, help_ in rows)


def is_secret(line: str) -> bool:
    """Returns whether a password may be in a typed line by mistake, so that it is not to be kept."""
    names = tuple(f"/{command.name}" for command in COMMANDS if command.is_secret)
    return line.strip().lower().startswith(names)


def parse(line: str) -> Action | None:
    """Returns what a typed line, without its line end, asks for; None for a blank one.

    Raises:
        UsageError: there is no such command, or it lacks an argument.
    """
    stripped = line.strip()
    if not stripped:
        return None
    if stripped == "exit":
        return Quit()
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    word, rest = _split(line[1:])
    command = _BY_NAME.get(word.lower())
    if command is None:
        raise UsageError(f"there is no /{one_line(word[:MAX_WORD_SHOWN])}; /help lists the commands")
    return command.action(*_arguments(command, rest))


def _check(command: Command, argument: Argument, value: str) -> str:
    if argument.choices and value not in argument.choices:
        raise UsageError(f"/{command.name}: one of {', '.join(argument.choices)}")
    return value


def _split(text: str) -> tuple[str, str]:
    """Returns the first word, and what follows the white space after it."""
    word = text.split(maxsplit=1)[0] if text[:1].strip() else ""
    return word, text[len(word) :].strip()


def _arguments(command: Command, rest: str) -> list[str]:
    """Returns the values for a command's action.

    Raises:
        UsageError: an argument is missing, or there is one too many.
    """
    values: list[str] = []
    for argument in command.arguments:
        value, after = (rest, "") if argument.rest else _split(rest)
        if argument.time and not _is_time(command, argument, value):
            values.append("")
            continue
        rest = after
        if value:
            values.append(_check(command, argument, value))
        elif not argument.optional:
            raise UsageError(f"{command.usage}: {argument.needs}")
    # Whoever types more than a command without arguments needs (/quit bye all) is understood all the same.
    if rest and command.arguments and not command.is_secret:
        raise UsageError(f"{command.usage}: there is a word too many")
    return values


def _is_time(command: Command, argument: Argument, word: str) -> bool:
    """Returns whether `word` is a duration, and not the beginning of what follows.

    Raises:
        UsageError: it is none, but seems to be meant as one: without it, it would be for good.
    """
    try:
        seconds = parse_duration(word)
    except ValueError as error:
        if word[:1].isdigit() or (word and argument is command.arguments[-1]):
            raise UsageError(f"{command.usage}: {error}") from None
        return False
    if seconds > LONGEST:
        raise UsageError(f"{command.usage}: {word} is more than ten years; leave it out for good")
    return True


# Completion


def _no_emoji(_word: str) -> list[str]:
    return []


class Completion(Struct, frozen=True):
    """What the end of a line may become.

    Attributes:
        start: where the part that is replaced begins.
        choices: what may stand there, in order.
    """

    start: int
    choices: list[str]

    @property
    def common(self) -> str:
        """What all choices begin with."""
        pairs = zip(min(self.choices, default=""), max(self.choices, default=""), strict=False)
        return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def complete(
    line: str,
    names: Iterable[str],
    rooms: Iterable[str],
    emoji: Callable[[str], list[str]] = _no_emoji,
    role: Role = "owner",
) -> Completion:
    """Returns what the last word of `line` may become.

    Args:
        line: what stands before the cursor.
        names: of people who may be meant.
        rooms: that may be meant, without ``#``.
        emoji: returns the names of emoji, with their colons, that begin with a word.
        role: of the one who types: commands that take more are not offered.
    """
    start = max(line.rfind(blank) for blank in " \t\n") + 1
    word, before = line[start:], line[:start].split()
    if len(word) > 1 and word.startswith(":"):
        choices = emoji(word)
    elif line.startswith("/") and not line.startswith("//"):
        choices = _complete_command(word, before, names, rooms, role)
    else:
        choices = _matching(word, names, ": " if not before else " ") if word else []
    return Completion(start, choices)


def _complete_command(
    word: str, before: list[str], names: Iterable[str], rooms: Iterable[str], role: Role
) -> list[str]:
    if not before:
        return _matching(word, (f"/{c.name}" for c in COMMANDS if is_at_least(role, c.role)), " ")
    command = _BY_NAME.get(before[0][1:].lower())
    if command is None:
        return []
    arguments = command.arguments[len(before) - 1 :] or command.arguments[-1:]
    if not arguments or (len(before) > len(command.arguments) and not arguments[0].rest):
        return []
    argument = arguments[0]
    if argument.choices:
        return _matching(word, argument.choices, "")
    if argument.completes == "rooms":
        prefix = "#" if word.startswith("#") else ""
        return _matching(word, (prefix + room for room in rooms), "")
    if argument.completes == "names" or (argument.rest and word):
        return _matching(word, names, " ")
    return []


def _matching(word: str, candidates: Iterable[str], end: str) -> list[str]:
    """Returns the candidates that begin with `word`, whatever the case, each followed by `end`."""
    folded = word.casefold()
    return [f"{c}{end}" for c in sorted(set(candidates)) if c.casefold().startswith(folded)]
