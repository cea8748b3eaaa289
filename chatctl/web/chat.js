// What becomes of the frames that come, and what one can do.

import { help, parse } from "./commands.js";
import { el, keep, kept, chosen } from "./dom.js";
import { Link } from "./link.js";
import { Place } from "./log.js";
import { mentions } from "./markup.js";
import * as page from "./main.js";
import { labelOf, nameOf, names } from "./rows.js";
import { fold, moment, oneLine, plural, visible } from "./text.js";

const DONE = { kick: "removed", ban: "banned", mute: "muted", allow: "let in", disallow: "shut out" };
const PAGE = 100;

export const link = new Link((frame, item) => {
	on[frame.t]?.(frame, item, inRoom(frame.room));
	page.changed();
});
const places = new Map();
let [returning, wanted, teller, motd, listed] = [true, "", "", "", []];
let role;
export let focus = null;

export const rooms = () => sorted("room");
export const talks = () => sorted("name");
export const all = () => [...rooms(), ...talks()];
export const listedRooms = () => [...rooms().map(({ room }) => room), ...listed];
export const people = ({ members }) => [...members.values()].sort();
const sorted = (kind) => [...places.values()].filter((place) => place[kind]).sort((one, other) => (one.key < other.key ? -1 : 1));
const inRoom = (room) => places.get(`#${room}`);
const isMe = (name) => fold(name) === fold(kept.name);
const ignores = (name) => Boolean(kept.ignored?.includes(fold(name)));
const plain = (room) => room.replace(/^#/, "").toLowerCase().normalize("NFC");

function placeOf(kind, name) {
	const key = kind === "room" ? `#${name}` : `@${fold(name)}`;
	if (!places.has(key)) {
		places.set(key, new Place(key, { [kind]: name }));
		[places.get(key).unread, places.get(key).called] = kept.unread?.[key] ?? [0];
	}
	return places.get(key);
}

const postedTo = ({ to, room }) => (to ? placeOf("name", to) : inRoom(room));

/** Comes in; takes up what this tab had. */
export function start(room) {
	wanted = room ? `#${room}` : (kept.focus ?? "#lobby");
	for (const { name, items } of kept.talks ?? []) placeOf("name", name).items = items;
	kept.unacked?.forEach(expect);
	const asked = room || !kept.rooms ? { [room || "lobby"]: null } : {};
	link.start({ ...asked, ...kept.rooms });
}

const on = {
	welcome(frame) {
		returning = true;
		role = frame.role;
		chosen.name = kept.name;
		if (frame.key) (chosen.keys ??= {})[kept.name] = frame.key;
		motd = frame.motd === motd ? "" : frame.motd;
		if (kept.away) request({ t: "away", text: kept.away });
		page.entered(frame);
	},
	_lost: page.offline,
	_refused: page.refused,
	_ended(end) {
		if (end.code !== "replaced") for (const key in kept) if (key !== "name") delete kept[key];
		page.ended(end);
	},
	_caughtup() {
		returning = false;
		if (!focus) go(places.get(wanted) ?? rooms()[0]);
		if (motd) tell([visible(motd)]);
		page.online();
		looked();
	},
	_gone: (_frame, _item, place) => leave(place),
	room(state) {
		const place = placeOf("room", state.room);
		if (state.anew) for (const item of place.items) delete item.id;
		Object.assign(place, { topic: state.topic, count: state.count, mode: "", last: state.last });
		if (!state.last || state.anew) place.more = false;
		know(place, state.members);
		place.readId = state.seen ?? state.last;
		if (wanted === place.key) go(place);
		if (state.count > state.members.length) request({ t: "who", room: state.room });
	},
	members({ names, count, away }, _item, place) {
		if (place) know(Object.assign(place, { count, away }), names);
	},
	presence({ room, joined, left, count }, _item, place) {
		if (!place) return;
		place.count = count;
		for (const name of left) place.members.delete(fold(name));
		for (const name of joined) place.members.set(fold(name), name);
		if (left.some(isMe) && !link.rooms.has(room)) return leave(place);
		for (const [list, what] of [[joined, " joined"], [left, " left"]]) {
			const others = list.filter((name) => !isMe(name) && !ignores(name));
			if (others.length) pass(place, others, what);
		}
	},
	msg: (frame, item, place) => place && said(place, frame, item),
	ack({ at, id }, { frame }) {
		const place = postedTo(frame);
		if (place) said(place, { ...frame, name: kept.name, id, at }, true);
	},
	told(frame) {
		if (ignores(frame.name)) return;
		if (!frame.to) teller = frame.name;
		said(placeOf("name", frame.to ?? frame.name), frame);
	},
	_failed({ text }, { frame }) {
		const failed = postedTo(frame)?.pending.find(({ nonce }) => nonce === frame.nonce);
		if (failed) Object.assign(failed, { reason: text, state: "failed" });
		page.grown(focus);
	},
	error: ({ text }) => alarm(text),
	notice: ({ text }) => tell([visible(text)]),
	gap({ after, before }, _item, place) {
		tell([`Messages ${after + 1} to ${before - 1} are no longer kept.`], place);
	},
	topic({ name, text }, _item, place) {
		if (!place) return;
		place.topic = text;
		tell([nameOf(name), text ? ` set the topic: ${oneLine(text)}` : " cleared the topic"], place);
	},
	renamed({ name, to }) {
		for (const place of rooms())
			if (place.members.delete(fold(name))) {
				place.members.set(fold(to), to);
				tell([nameOf(name), " is now ", nameOf(to)], place);
			}
		const talk = places.get(`@${fold(name)}`);
		if (talk && places.delete(talk.key)) places.set((talk.key = `@${fold(to)}`), Object.assign(talk, { name: to }));
		if (teller === name) teller = to;
		chosen.name = kept.name;
		page.refresh();
	},
	away({ name, text }) {
		if (!isMe(name)) return tell([nameOf(name), ` is away: ${oneLine(text)}`]);
		if (text !== (kept.away ?? "")) tell([text ? `You are away: ${oneLine(text)}` : "You are back."]);
		kept.away = text;
	},
	account(frame) {
		kept.name = frame.name;
		role = frame.role;
		tell(["You are ", nameOf(frame.name), `, ${oneLine(role)}`]);
	},
	moderated({ what, whom, name, until, reason }, _item, place) {
		const when = until ? ` until ${moment(until)}` : "";
		tell([nameOf(name), ` ${DONE[what] ?? what} ${oneLine(whom)}${when}`, reason && `: ${oneLine(reason)}`], place);
	},
	mode({ name, ...mode }, _item, place) {
		if (!place) return;
		place.mode = ["invite_only", "hidden", "read_only", "topic_locked"].filter((one) => mode[one]).join(", ").replaceAll("_", "-");
		if (name) tell([nameOf(name), ` made this room ${place.mode || "open to all"}`], place);
	},
	redacted({ id, name, reason }, _item, place) {
		const item = place?.items.find((one) => one.id === id);
		if (!item) return;
		item.text = "";
		page.log.redraw(item);
		tell([nameOf(name), " removed a message", reason && `: ${oneLine(reason)}`], place);
	},
};

/** Tells who came or went; with those before them, if nothing was said meanwhile. */
function pass(place, who, what) {
	const last = place.items.at(-1);
	if (last?.what !== what) return Object.assign(tell([...names(who), what], place), { what, who });
	last.who.push(...who);
	last.parts = [...names(last.who), what];
	page.log.redraw(last);
}

function know(place, names) {
	place.members = new Map(names.map((name) => [fold(name), name]));
}

/** Shows what somebody said, and says so if nobody looks. */
function said(place, { ...item }, post) {
	if (post) place.pending = place.pending.filter(({ nonce }) => nonce !== item.nonce);
	item.gone = ignores(item.name);
	const isNew = !isMe(item.name) && !item.gone && !(item.id <= place.readId);
	const looking = page.looksAt(place);
	if (isNew && (returning || !looking)) divide(place);
	place.append(item);
	if (isNew && !looking) {
		place.unread++;
		const called = place.name || mentions(visible(item.text), kept.name);
		place.called ||= called;
		if (called && !returning) page.notify(place, item);
		keepUnread();
	} else if (!returning) place.readId = place.last;
	if (place.name) kept.talks = talks().map(({ name, items }) => ({ name, items: items.filter(({ text }) => text).slice(-200) }));
	keep();
	page.grown(place);
}

/** Marks that what follows is new. */
function divide(place) {
	place.new ??= place.append({ count: 0, left: returning });
	const { new: mark } = place;
	mark.count++;
	mark.divider = mark.left ? `${plural(mark.count, "message")} since you left` : "New";
	page.log.redraw(mark);
}

function undivide(place) {
	if (!place.new) return;
	place.new.gone = true;
	page.log.redraw(place.new);
	place.new = null;
}

function keepUnread() {
	kept.unread = {};
	for (const { key, unread, called } of places.values()) if (unread) kept.unread[key] = [unread, called];
}

/** Adds a line that nobody said. */
export function tell(parts, place = focus, kind = "") {
	page.grown(place);
	return place?.append({ at: Date.now(), parts, kind });
}

export const alarm = (text) => (focus ? tell([oneLine(text)], focus, "alarm") : page.line(oneLine(text)));

// Places

export function go(place) {
	if (!place) return;
	if (focus && focus !== place) undivide(focus);
	wanted = "";
	focus = place;
	kept.focus = place.key;
	looked();
	page.went(place);
}

/** Notes that somebody looks, or does no more. */
export function looked() {
	if (!focus) return;
	if (document.hidden) return undivide(focus);
	focus.unread = 0;
	focus.called = false;
	if (!returning) focus.readId = focus.last;
	keepUnread();
	page.changed();
}

function leave(place) {
	places.delete(place?.key);
	if (focus !== place) return;
	focus = null;
	page.went(null);
	go(rooms()[0] ?? talks()[0]);
	page.changed();
}

export function enter(typed) {
	const room = plain(typed);
	if (inRoom(room)) return go(inRoom(room));
	wanted = `#${room}`;
	link.change({ t: "join", room });
}

export const converse = (name) => isMe(name) || go(placeOf("name", name));

/** Leaves a room, or closes a conversation. */
export function close(place) {
	if (place.room) return link.change({ t: "part", room: place.room });
	leave(place);
	kept.talks = kept.talks?.filter(({ name }) => name !== place.name);
}

/** Gets what was said before what there is. */
export async function older(place, limit = PAGE) {
	if (place.loading || returning) return;
	place.loading = true;
	try {
		const { messages, more } = await link.ask({ t: "history", room: place.room, before: place.firstId, limit });
		place.prepend(messages.map((message) => ({ ...message, gone: ignores(message.name) })), more);
	} catch (error) {
		place.more = !link.ready;
		if (link.ready) complain(error);
	}
	place.loading = false;
	page.log.changed(place);
}

/** Brings a message that was found into view. */
export async function find({ room, id }) {
	const place = inRoom(room);
	go(place);
	const wanted = () => place.items.find((item) => item.id === id);
	while (!wanted() && place.more && link.ready) await older(place, 500);
	if (wanted()) page.reveal(wanted());
}

// What is typed

/** Does what a text asks for; returns whether it could. */
export function perform(text) {
	try {
		const [command, ...values] = parse(text);
		Promise.resolve(commands[command](...values)).catch(complain);
		return true;
	} catch (error) {
		complain(error);
	}
}

const complain = ({ message }) => alarm(message);
export const request = (frame) => link.ask(frame).catch(complain);

function post(frame) {
	const size = new TextEncoder().encode(frame.text).length;
	if (size > link.limits?.text) throw new Error(`that has ${size} bytes, of at most ${link.limits.text}`);
	page.grown(expect(link.post(frame)), true);
}

/** Shows what was posted, and is not acked. */
function expect(frame) {
	const place = frame.to ? placeOf("name", frame.to) : placeOf("room", frame.room);
	place.pending.push({ ...frame, name: kept.name, at: Date.now(), state: "pending" });
	return place;
}

function say(text, kind) {
	if (!focus) fail("you are in no room; /join ROOM enters one");
	post(focus.room ? { t: "say", room: focus.room, text, kind } : { t: "tell", to: focus.name, text, kind });
}

function fail(text) {
	throw new Error(text);
}

const here = () => focus?.room ?? fail("this is no room");

function msg(name, text) {
	post({ t: "tell", to: name, text });
	converse(name);
}

const commands = {
	say,
	help: () => tell([help().map(([usage, help]) => `${usage.padEnd(18)}  ${help}`).join("\n")], focus, "table"),
	nick: (name) => link.change({ t: "rename", name }),
	me: (text) => say(text, "action"),
	msg,
	reply: (text) => msg(teller || fail("nobody has written to you yet"), text),
	async whois(whom) {
		const { name, rooms, at, idle, ...more } = await link.ask({ t: "whois", name: whom });
		let text = ` is in ${rooms.map((room) => labelOf({ room })).join(", ") || "no room"}`;
		text += `; here since ${moment(at)}; silent for ${plural(Math.floor(idle / 60), "minute")}`;
		for (const key of ["role", "away", "agent", "address"]) if (more[key]) text += `; ${key}: ${oneLine(more[key])}`;
		tell([nameOf(name), text]);
	},
	away: (text) => request({ t: "away", text: text || "away" }),
	back: () => request({ t: "away" }),
	ignore(name) {
		kept.ignored ??= [];
		if (isMe(name)) fail("you cannot ignore yourself");
		if (name) kept.ignored.push(fold(name));
		tell([`You ignore ${kept.ignored.map(oneLine).join(", ") || "nobody"}.`]);
	},
	unignore(name) {
		kept.ignored = kept.ignored?.filter((one) => one !== fold(name));
		tell([`You see again what ${oneLine(name)} says.`]);
	},
	async rooms() {
		const { rooms } = await link.ask({ t: "list" });
		listed = rooms.map(({ room }) => room);
		const row = ({ room, count, topic }) =>
			el("li", null, el("button", { type: "button", onclick: () => enter(room) }, labelOf({ room })), ` ${count}  ${oneLine(topic)}`);
		tell([el("ul", null, ...rooms.slice(0, 200).map(row)), rooms.length > 200 && `and ${rooms.length - 200} more`]);
	},
	join: enter,
	part: (room) => close(room ? (inRoom(plain(room)) ?? fail("you are not in there")) : focus),
	topic: (text) => (text ? request({ t: "topic", room: here(), text }) : tell([`Topic: ${oneLine(focus.topic) || "none"}`])),
	search: page.search,
	quit: () => link.leave(),
};
export const known = Object.keys(commands);
export const standing = () => [role === "member" ? "" : role, kept.away && "away"].filter(Boolean).join(", ");
