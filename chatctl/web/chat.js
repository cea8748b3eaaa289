// What becomes of the frames that come, and what one can do.

import { help, parse } from "./commands.js";
import { el, keep, kept, chosen } from "./dom.js";
import * as link from "./link.js";
import * as log from "./log.js";
import { mentions } from "./markup.js";
import * as page from "./main.js";
import { labelOf, nameOf, names } from "./rows.js";
import { words } from "./tables.js";
import { bytes, fold, moment, oneLine, plural, visible } from "./text.js";

const PLACED = ["msg", "topic", "mode", "redacted", "presence", "gap", "members"]; // of a room that one is in
export { link };
link.onFrame((frame, item) => {
	const place = inRoom(frame.room);
	if (!place && PLACED.includes(frame.t)) return;
	const key = [frame.t, frame.what].filter(Boolean).join(" ");
	if (on[frame.t]?.(frame, place, item) !== false && words[key]) tell(worded(key, frame), place);
	page.changed();
	keep();
});
const places = new Map();
let [returning, role, wanted, teller, motd, listed] = [true, "member", "", "", "", []];
export let focus = null;

export const rooms = () => sorted("room");
export const all = () => [...rooms(), ...sorted("name")];
export const people = ({ members }) => [...members.values()].sort();
const sorted = (kind) => [...places].sort().map(([, place]) => place).filter((place) => place[kind]);
const inRoom = (room) => places.get(`#${room}`);
const isMe = (name) => fold(name) === fold(kept.name);
const ignores = (name) => kept.ignored?.includes(fold(name));
const plain = (room) => room.replace(/^#/, "").toLowerCase().normalize("NFC");

export const standing = () => [role === "member" ? "" : role, kept.away && "away"].filter(Boolean).join(", ");
export function completions() {
	const others = focus?.room ? people(focus).filter((name) => name !== kept.name) : [focus?.name ?? ""];
	return [others, [...rooms().map(({ room }) => room), ...listed], role];
}

function placeOf(kind, name) {
	const key = kind === "room" ? `#${name}` : `@${fold(name)}`;
	if (!places.has(key)) {
		const [unread = 0, called] = kept.unread?.[key] ?? [];
		places.set(key, new log.Place({ key, [kind]: name, unread, called }));
		delete kept.unread?.[key];
	}
	return places.get(key);
}

const postedTo = ({ to, room }) => (to ? placeOf("name", to) : inRoom(room));

export function start(room) {
	wanted = room ? `#${room}` : (kept.focus ?? "#lobby");
	for (const { name, items } of kept.talks ?? []) placeOf("name", name).items = items;
	kept.unacked?.forEach(expect);
	const asked = room || !kept.rooms ? { [room || "lobby"]: null } : {};
	link.start({ ...asked, ...kept.rooms });
	kept.toJSON = () => ({ ...kept, rooms: link.seen(), unacked: link.unacked(), ...placesKept() });
}

function placesKept() {
	const unread = { ...kept.unread };
	for (const place of places.values()) if (place.unread) unread[place.key] = [place.unread, place.called];
	const talks = sorted("name").map(({ name, items }) => ({ name, items: items.filter(({ text }) => text).slice(-200) }));
	return { unread, talks };
}

const on = {
	welcome(frame) {
		returning = true;
		role = frame.role ?? "member";
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
	_gone: (_frame, place) => leave(place),
	room(state) {
		const { room, anew, last, seen, topic, count, members } = state;
		const place = placeOf("room", room);
		if (anew) for (const item of place.items) delete item.id;
		Object.assign(place, { topic, count, mode: "", last, readId: seen ?? last });
		if (!last || anew) place.more = false;
		know(place, members);
		if (wanted === place.key) go(place);
		if (count > members.length) request({ t: "who", room });
	},
	members({ names, count, away }, place) {
		know(Object.assign(place, { count, away }), names);
	},
	presence({ room, joined, left, count }, place, item) {
		place.count = count;
		for (const name of left) place.members.delete(fold(name));
		for (const name of joined) place.members.set(fold(name), name);
		if (left.some(isMe) && !link.rooms.has(room)) {
			leave(place);
			if (!item) tell([`You are no longer in ${labelOf(place)}.`]);
			return;
		}
		for (const [list, what] of [[joined, " joined"], [left, " left"]]) {
			const others = list.filter((name) => !isMe(name) && !ignores(name));
			if (others.length) pass(place, others, what);
		}
	},
	msg: (frame, place, item) => said(place, frame, item),
	ack({ at, id }, _place, { frame }) {
		const place = postedTo(frame);
		if (place) said(place, { ...frame, name: kept.name, id, at }, true);
	},
	told(frame) {
		if (ignores(frame.name)) return;
		if (!frame.to) teller = frame.name;
		said(placeOf("name", frame.to ?? frame.name), frame);
	},
	_failed({ text }, _place, { frame }) {
		const failed = postedTo(frame)?.pending.find(({ nonce }) => nonce === frame.nonce);
		if (failed) Object.assign(failed, { reason: text, state: "failed" });
		page.grown(focus);
	},
	error: ({ text }) => alarm(text),
	notice: ({ text }) => tell([visible(text)]),
	topic({ text }, place) {
		place.topic = text;
	},
	renamed(frame) {
		const { name, to } = frame;
		for (const place of rooms())
			if (place.members.delete(fold(name))) {
				place.members.set(fold(to), to);
				tell(worded("renamed", frame), place);
			}
		const talk = places.get(`@${fold(name)}`);
		if (talk && places.delete(talk.key)) places.set((talk.key = `@${fold(to)}`), Object.assign(talk, { name: to }));
		if (teller === name) teller = to;
		chosen.name = kept.name;
		log.redrawAll();
		return false;
	},
	away(frame) {
		if (!isMe(frame.name)) return;
		if (frame.text !== (kept.away ?? "")) tell(worded("away me", frame));
		kept.away = frame.text;
		return false;
	},
	rooms({ rooms }) {
		listed = rooms.map(({ room }) => room);
		const row = ({ room, count, topic }) =>
			el("li", el("button", { onclick: () => enter(room) }, labelOf({ room })), ` ${count}  ${oneLine(topic)}`);
		tell([el("ul", rooms.slice(0, 200).map(row)), rooms.length > 200 && `and ${rooms.length - 200} more`]);
	},
	account(frame, _place, item) {
		kept.name = chosen.name = frame.name;
		role = frame.role;
		if (item) link.own.password = item.frame.password;
	},
	bans({ bans }) {
		for (const ban of bans.slice(0, 200)) tell(worded(`bans ${ban.what}`, ban));
		if (!bans.length) tell(["Nobody is banned or muted."]);
	},
	mode(frame, place, item) {
		place.mode = frame.mode = ["invite_only", "hidden", "read_only", "topic_locked"].filter((one) => frame[one]).join(", ").replaceAll("_", "-");
		return Boolean(frame.name || item);
	},
	redacted({ id }, place) {
		const item = place.items.find((one) => one.id === id);
		if (!item) return false;
		item.text = "";
		log.redraw(item);
	},
	invited(frame) {
		const { origin, hostname, protocol, port } = location;
		const [room, key] = [frame.room, frame.key].map(encodeURIComponent);
		const pin = frame.pin ? `?pin=${frame.pin}` : "";
		frame.link = `chat://${hostname}:${port || (protocol === "https:" ? 443 : 80)}/${room}${pin}#${key}`;
		frame.page = `${origin}/?room=${room}#${key}`;
	},
};

function worded(key, frame) {
	const lacks = (words) => [...words.matchAll(/{(\w+)}/g)].some(([, key]) => !String(frame[key] ?? ""));
	const chosen = words[key].replace(/\[(.*?)(?:\|(.*?))?\]/g, (_, words, other = "") => (lacks(words) ? other : words));
	return chosen.split(/{(\w+)}/).map((part, at) => (at % 2 ? shown(part, frame[part]) : part));
}

function shown(key, value) {
	if (["name", "to", "whom"].includes(key)) return nameOf(value);
	if (["at", "until"].includes(key)) return moment(value);
	return oneLine(key === "rooms" ? value.map((room) => `#${room}`).join(", ") : String(value));
}

function pass(place, who, what) {
	const last = place.items.at(-1);
	if (last?.what !== what) return Object.assign(tell([...names(who), what], place), { what, who });
	last.who.push(...who);
	last.parts = [...names(last.who), what];
	log.redraw(last);
}

function know(place, names) {
	place.members = new Map(names.map((name) => [fold(name), name]));
}

function said(place, { ...item }, post) {
	if (post) place.pending = place.pending.filter(({ nonce }) => nonce !== item.nonce);
	item.gone = ignores(item.name);
	const isNew = !isMe(item.name) && !item.gone && !(item.id <= place.readId);
	const looking = place === focus && !document.hidden;
	if (isNew && (returning || !looking)) divide(place);
	place.append(item);
	if (isNew && !looking) {
		place.unread++;
		const called = place.name || mentions(visible(item.text), kept.name);
		place.called ||= called;
		if (called && !returning) page.notify(place, item);
	} else if (!returning) place.readId = place.last;
	page.grown(place);
}

function divide(place) {
	const mark = (place.new ??= place.append({ count: 0, left: returning }));
	mark.count++;
	mark.divider = mark.left ? `${plural(mark.count, "message")} since you left` : "New";
	log.redraw(mark);
}

function undivide() {
	if (!focus?.new) return;
	focus.new.gone = true;
	log.redraw(focus.new);
	focus.new = null;
}

export function tell(parts, place = focus, kind = "") {
	page.grown(place);
	return place?.append({ at: Date.now(), parts, kind });
}

const alarm = (text) => (focus ? tell([oneLine(text)], focus, "alarm") : page.line(oneLine(text)));

export function go(place) {
	if (!place) return;
	if (focus !== place) undivide();
	wanted = "";
	focus = place;
	kept.focus = place.key;
	looked();
	page.went(place);
}

export function looked() {
	if (!focus) return;
	if (document.hidden) return undivide();
	focus.unread = 0;
	focus.called = false;
	if (!returning) focus.readId = focus.last;
	page.changed();
}

function leave(place) {
	places.delete(place?.key);
	if (focus !== place) return;
	focus = null;
	page.went(null);
	go(all()[0]);
}

export function enter(typed) {
	const room = plain(typed);
	if (inRoom(room)) return go(inRoom(room));
	wanted = `#${room}`;
	link.change({ t: "join", room });
}

export const converse = (name) => isMe(name) || go(placeOf("name", name));

export function close(place) {
	if (place.room) return link.change({ t: "part", room: place.room });
	leave(place);
	page.changed();
}

export async function older(place, limit = 100) {
	if (place.loading || returning) return;
	place.loading = true;
	try {
		const before = place.items.find(({ id }) => id)?.id ?? place.last + 1;
		const { messages, more } = await link.ask({ t: "history", room: place.room, before, limit });
		place.prepend(messages.map((message) => ({ ...message, gone: ignores(message.name) })), more);
	} catch (error) {
		place.more = !link.ready;
		if (link.ready) complain(error);
	}
	place.loading = false;
	log.changed(place);
}

export async function find({ room, id }) {
	const place = inRoom(room);
	go(place);
	const wanted = () => place.items.find((item) => item.id === id);
	while (!wanted() && place.more && link.ready) await older(place, 500);
	if (wanted()) log.reveal(wanted());
}

export function perform(text) {
	try {
		const { name, values, frame } = parse(text);
		if (commands[name]) commands[name](...values);
		else send(frame);
		return true;
	} catch (error) {
		complain(error);
	}
}

const complain = ({ message }) => alarm(message);
export const request = (frame) => link.ask(frame).catch(complain);

/** Sends what a command makes, with what only the page knows: what is null there. */
function send(frame) {
	if (frame.room === null) frame.room = here();
	if (frame.t === "redact") frame.id = meant(frame.id);
	if (frame.password === null) page.ask(frame, request);
	else request(frame);
}

function meant(what) {
	if (/^#?\d{1,15}$/.test(what)) return Number(what.replace("#", ""));
	const last = focus.items.findLast(({ id, name, text }) => id && text && fold(name) === fold(what));
	return last?.id ?? fail(`${oneLine(what)} has said nothing here that you saw`);
}

function post(frame) {
	const size = bytes(frame.text).length;
	if (size > link.limits?.text) fail(`that has ${size} bytes, of at most ${link.limits.text}`);
	page.grown(expect(link.post(frame)), true);
}

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

export const commands = {
	say,
	help: () => tell([help(role).map(({ usage, help }) => `${usage.padEnd(27)}  ${help}`).join("\n")], focus, "table"),
	nick: (name) => link.change({ t: "rename", name }),
	me: (text) => say(text, "action"),
	msg,
	reply: (text) => msg(teller || fail("nobody has written to you yet"), text),
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
	join: enter,
	part: (room) => close(room ? (inRoom(plain(room)) ?? fail("you are not in there")) : (focus ?? fail("you are in no room"))),
	topic: (text) => (text ? request({ t: "topic", room: here(), text }) : tell([`Topic: ${oneLine(focus.topic) || "none"}`])),
	search: page.search,
	who(room) {
		go(room ? (inRoom(plain(room)) ?? fail("you are not in there")) : focus);
		page.panel("people");
	},
	quit: () => link.leave(),
};
