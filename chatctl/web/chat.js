// What becomes of the frames that come, and what one can do.

import { help, parse } from "./commands.js";
import { el, keep, kept, chosen } from "./dom.js";
import { Link } from "./link.js";
import { Place } from "./log.js";
import { mentions } from "./markup.js";
import * as page from "./main.js";
import { labelOf, nameOf, names } from "./rows.js";
import { fold, oneLine, plural, span, visible } from "./text.js";

const DONE = { kick: "removed", ban: "banned", mute: "muted", allow: "let in", disallow: "shut out" };
const PAGE = 100;

export const link = new Link((frame, item) => on[frame.t]?.(frame, item));
const places = new Map();
let [returning, wanted, teller, motd, listed] = [true, "", "", "", []];
let role;
export let focus = null;

export const rooms = () => sorted("room");
export const talks = () => sorted("name");
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
	_lost: (end) => page.offline(end),
	_refused: (end) => page.refused(end),
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
	_gone: ({ room }) => leave(inRoom(room)),
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
	members({ room, names, count, away }) {
		const place = inRoom(room);
		if (!place) return;
		know(place, names);
		Object.assign(place, { count, away });
	},
	presence({ room, joined, left, count }) {
		const place = inRoom(room);
		if (!place) return;
		place.count = count;
		for (const name of left) place.members.delete(fold(name));
		for (const name of joined) place.members.set(fold(name), name);
		if (left.some(isMe) && !link.rooms.has(room)) return leave(place);
		for (const [list, what] of [[joined, " joined"], [left, " left"]]) {
			const others = list.filter((name) => !isMe(name) && !ignores(name));
			if (others.length) tell([...names(others), what], place);
		}
	},
	msg(frame, item) {
		if (inRoom(frame.room)) said(inRoom(frame.room), frame, item);
	},
	ack({ at, id, nonce }, item) {
		const { text, kind, room, to } = item.frame;
		const place = to ? placeOf("name", to) : inRoom(room);
		if (place) said(place, { name: kept.name, text, kind, room, id, at, nonce }, item);
	},
	told(frame) {
		if (ignores(frame.name)) return;
		if (!frame.to) teller = frame.name;
		said(placeOf("name", frame.to ?? frame.name), frame);
	},
	_failed({ text }, { frame }) {
		const item = frame.to ? placeOf("name", frame.to) : inRoom(frame.room);
		const failed = item?.pending.find(({ nonce }) => nonce === frame.nonce);
		if (failed) Object.assign(failed, { reason: text, state: "failed" });
		page.grown(item);
	},
	error: ({ text }) => alarm(text),
	notice: ({ text }) => tell([visible(text)]),
	gap({ room, after, before }) {
		tell([`Messages ${after + 1} to ${before - 1} are no longer kept.`], inRoom(room));
	},
	topic({ room, name, text }) {
		inRoom(room).topic = text;
		tell([nameOf(name), text ? ` set the topic: ${oneLine(text)}` : " cleared the topic"], inRoom(room));
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
	moderated({ what, whom, name, room, until, reason }) {
		const when = until ? ` until ${new Date(until).toLocaleString("en")}` : "";
		tell([nameOf(name), ` ${DONE[what] ?? what} ${oneLine(whom)}${when}`, reason && `: ${oneLine(reason)}`], inRoom(room));
	},
	mode({ room, name, ...mode }) {
		const place = inRoom(room);
		if (!place) return;
		place.mode = ["invite_only", "hidden", "read_only", "topic_locked"].filter((one) => mode[one]).join(", ").replaceAll("_", "-");
		if (name) tell([nameOf(name), ` made this room ${place.mode || "open to all"}`], place);
	},
	redacted({ room, id, name, reason }) {
		const item = inRoom(room)?.items.find((one) => one.id === id);
		if (!item) return;
		item.text = "";
		page.redraw(item);
		tell([nameOf(name), " removed a message", reason && `: ${oneLine(reason)}`], inRoom(room));
	},
};
for (const [t, act] of Object.entries(on))
	on[t] = (frame, item) => {
		act(frame, item);
		page.changed();
	};

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
	page.redraw(mark);
}

function undivide(place) {
	if (!place.new) return;
	place.new.gone = true;
	page.redraw(place.new);
	place.new = null;
}

function keepUnread() {
	kept.unread = {};
	for (const { key, unread, called } of places.values()) if (unread) kept.unread[key] = [unread, called];
}

/** Adds a line that nobody said. */
export function tell(parts, place = focus, kind = "") {
	if (!place) return;
	place.append({ at: Date.now(), parts, kind });
	page.grown(place);
}

export const alarm = (text) => tell([oneLine(text)], focus, "alarm");

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
		if (link.ready) alarm(error.message);
	}
	place.loading = false;
	page.loaded(place);
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
		const failed = (error) => alarm(error.message);
		Promise.resolve(commands[command](...values)).catch(failed);
		return true;
	} catch (error) {
		alarm(error.message);
		return false;
	}
}

const request = (frame) => link.ask(frame).catch((error) => alarm(error.message));

function post(frame) {
	const size = new TextEncoder().encode(frame.text).length;
	const most = link.limits?.text ?? 8000;
	if (size > most) throw new Error(`that has ${plural(size, "byte")}, and ${most} are the most that can be said at once`);
	page.grown(expect(link.post(frame)), true);
}

/** Shows what was posted, and is not acked. */
function expect({ t, room, to, text, kind, nonce }) {
	const place = t === "tell" ? placeOf("name", to) : placeOf("room", room);
	place.pending.push({ name: kept.name, text, kind, nonce, at: Date.now(), state: "pending" });
	return place;
}

function say(text, kind) {
	if (!focus) throw new Error("you are in no room; /join ROOM enters one");
	post(focus.room ? { t: "say", room: focus.room, text, kind } : { t: "tell", to: focus.name, text, kind });
}

function here() {
	if (!focus?.room) throw new Error("this is no room");
	return focus.room;
}

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
	reply(text) {
		if (!teller) throw new Error("nobody has written to you yet");
		msg(teller, text);
	},
	async who(room) {
		const list = await link.ask({ t: "who", room: room ? plain(room) : here() });
		const away = list.away?.length ? [" — away: ", ...names(list.away)] : [];
		tell([`${list.count} in ${labelOf(list)}: `, ...names(list.names, list.count), ...away]);
	},
	async whois(whom) {
		const { name, rooms, at, idle, ...more } = await link.ask({ t: "whois", name: whom });
		let text = ` is in ${rooms.map((room) => labelOf({ room })).join(", ") || "no room"}`;
		text += `; came in ${span((Date.now() - at) / 1000)} ago; silent for ${span(idle)}`;
		for (const key of ["role", "away", "agent", "address"]) if (more[key]) text += `; ${key}: ${oneLine(more[key])}`;
		tell([nameOf(name), text]);
	},
	away: (text) => request({ t: "away", text: text || "away" }),
	back: () => request({ t: "away" }),
	ignore(name) {
		kept.ignored ??= [];
		if (!name) return tell([`You ignore ${kept.ignored.map(oneLine).join(", ") || "nobody"}.`]);
		if (isMe(name)) throw new Error("you cannot ignore yourself");
		kept.ignored.push(fold(name));
		tell([`You do not see any more what ${oneLine(name)} says.`]);
	},
	unignore(name) {
		kept.ignored = kept.ignored?.filter((one) => one !== fold(name));
		tell([`You see what ${oneLine(name)} says.`]);
	},
	async rooms() {
		const { rooms } = await link.ask({ t: "list" });
		listed = rooms.map(({ room }) => room);
		const row = ({ room, count, topic }) =>
			el("li", null, el("button", { type: "button", onclick: () => enter(room) }, labelOf({ room })), ` ${count}  ${oneLine(topic)}`);
		tell([el("ul", null, ...rooms.slice(0, 200).map(row)), rooms.length > 200 && `and ${rooms.length - 200} more`]);
	},
	join: enter,
	part(room) {
		const place = room ? inRoom(plain(room)) : focus;
		if (!place) throw new Error(`you are not in ${labelOf({ room: plain(room) })}`);
		close(place);
	},
	focus(room) {
		const place = inRoom(plain(room)) ?? [...rooms(), ...talks()][room - 1];
		if (!place) throw new Error(`you are not in ${labelOf({ room: plain(room) })}; /join enters it`);
		go(place);
	},
	topic: (text) => (text ? request({ t: "topic", room: here(), text }) : tell([`Topic: ${oneLine(focus.topic) || "none"}`])),
	search: page.search,
	theme: (value) => tell([`theme: ${page.theme(value)}`]),
	quit: () => link.leave(),
};
export const known = Object.keys(commands);
export const standing = () => [role === "member" ? "" : role, kept.away && "away"].filter(Boolean).join(", ");
