// What becomes of the frames that come, and what one can do.

import { offered, parse } from "./commands.js";
import { el, keep, kept } from "./dom.js";
import * as link from "./link.js";
import * as log from "./log.js";
import * as page from "./main.js";
import { mentions } from "./markup.js";
import { labelOf, nameOf } from "./rows.js";
import { words } from "./tables.js";
import { bytes, fold, moment, oneLine, visible } from "./text.js";

const ANYWHERE = ["room", "moderated", "invited"]; // can be about a room that one is not in
export const places = new Map(); // by key
let [returning, wanted, teller, motd, listed] = [true, "", "", "", []];
export let [focus, role] = [null, ""];

export const all = () => [...places.keys()].sort().map((key) => places.get(key)); // rooms first
export const people = () => [...(focus?.members.values() ?? [])].sort();
const inRoom = (room) => room && places.get(`#${room}`);
const isMe = (name) => fold(name) === fold(kept.name);
const ignores = (name) => kept.ignored?.includes(fold(name));
const plain = (room) => room.replace(/^#/, "").toLowerCase().normalize("NFC");
const keyOf = ({ room, name }) => (room ? `#${room}` : `@${fold(name)}`);

export function completions() {
	const rooms = all().flatMap(({ room }) => room ?? []);
	return [people().filter((name) => name !== kept.name), [...rooms, ...listed], role];
}

/** Takes each frame that comes, and what it answers. */
export function take(frame, item) {
	const place = inRoom(frame.room);
	if (frame.room && !place && !ANYWHERE.includes(frame.t)) return;
	const key = frame.what ? `${frame.t} ${frame.what}` : frame.t;
	if (on[frame.t]?.(frame, place, item) !== false && words[key]) tell(worded(key, frame), place);
	page.changed();
	keep();
}

/** Args: what: has a room, or the name of the one whom one talks with. */
function placeOf(what) {
	const key = keyOf(what);
	if (!places.has(key)) {
		places.set(key, new log.Place({ key, ...what }));
		know(places.get(key), [what.name].filter(Boolean));
	}
	return places.get(key);
}

export function start(room) {
	room &&= plain(room);
	wanted = room ? `#${room}` : (kept.focus ?? "#lobby");
	kept.places?.forEach(placeOf);
	const known = kept.session && kept.rooms;
	link.start(known && !room ? known : { [room || "lobby"]: null, ...known });
	kept.toJSON = () => ({ ...kept, rooms: Object.fromEntries(link.rooms), unacked: link.unacked(), places: all().map(toKeep) });
}

/** Returns what a reload leaves of a place. What was said in rooms, the server knows. */
function toKeep({ room, name, unread, called, items }) {
	return { room, name, unread, called, items: room ? [] : items.filter(({ text }) => text).slice(-200) };
}

const on = {
	welcome(frame) {
		returning = true;
		role = frame.role ?? "member";
		if (frame.key) localStorage[`key of ${kept.name}`] = frame.key;
		({ motd } = frame);
		if (kept.away) request({ t: "away", text: kept.away });
		page.inside(true);
	},
	_lost: ({ text }) => page.line(`${oneLine(text)}; it is tried again, and what you say is sent then`, "Try now"),
	_refused({ text, wants = "name" }) {
		page.door(wants);
		page.line(oneLine(text));
	},
	_ended({ code, text }) {
		if (code !== "replaced") for (const key in kept) if (key !== "name") delete kept[key];
		page.line(words[`_ended ${code}`] ?? oneLine(text), "Come in again");
	},
	_caughtup() {
		returning = false;
		for (const place of all()) if (place.room && !link.rooms.has(place.room)) leave(place);
		if (!focus) go(places.get(wanted) ?? all()[0]);
		if (motd && motd !== kept.motd) tell([visible(motd)]);
		kept.motd = motd;
		page.online();
	},
	room({ room, last, seen, topic, count, members }) {
		const place = placeOf({ room });
		const isAnew = last < place.last;
		if (isAnew) for (const item of place.items) delete item.id;
		if (!last || isAnew) place.more = false;
		Object.assign(place, { topic, count, mode: "", last, readId: seen ?? last });
		know(place, members);
		if (wanted === place.key) go(place);
		if (count > members.length) request({ t: "who", room });
	},
	members({ names, count, away }, place) {
		know(Object.assign(place, { count, away }), names);
	},
	presence({ joined, left, count }, place, item) {
		place.count = count;
		for (const name of left) place.members.delete(fold(name));
		for (const name of joined) place.members.set(fold(name), name);
		if (left.some(isMe)) {
			leave(place);
			if (!item) tell([`You are no longer in ${labelOf(place)}.`]);
			return;
		}
		pass(place, joined, "joined");
		pass(place, left, "left");
	},
	msg: (frame, place) => said(place, frame),
	ack: ({ at, id }, _place, { frame }) => posted(frame, { at, id }),
	_failed: ({ text }, _place, { frame }) => posted(frame, { at: Date.now(), state: "failed", reason: text }),
	told(frame) {
		if (ignores(frame.name)) return;
		if (!frame.to) teller = frame.name;
		said(placeOf({ name: frame.to ?? frame.name }), frame);
	},
	error: alarm,
	notice: ({ text }) => tell([visible(text)]),
	topic({ text }, place) {
		place.topic = text;
	},
	renamed(frame) {
		const { name, to } = frame;
		for (const place of all())
			if (place.members.delete(fold(name))) {
				place.members.set(fold(to), to);
				tell(worded("renamed", frame), place);
			}
		const talk = places.get(keyOf({ name }));
		if (talk && places.delete(talk.key)) places.set((talk.key = keyOf({ name: to })), Object.assign(talk, { name: to }));
		if (teller === name) teller = to;
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
		tell([el("ul", rooms.map(row))]);
	},
	account(frame, _place, item) {
		kept.name = frame.name;
		role = frame.role;
		if (item) link.own.password = item.frame.password;
	},
	bans({ bans }) {
		for (const ban of bans) tell(worded(`bans ${ban.what}`, ban));
		return !bans.length;
	},
	mode(frame, place, item) {
		const modes = Object.keys(frame).filter((key) => frame[key] === true);
		place.mode = frame.mode = oneLine(modes.join(", ").replaceAll("_", "-"));
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
		const [path, key] = [frame.room, frame.key].map(encodeURIComponent);
		Object.assign(frame, { origin, path, key, host: `${hostname}:${port || { "http:": 80, "https:": 443 }[protocol]}` });
	},
};

function worded(key, frame) {
	const filled = words[key].replace(/\[([^\]]*?{(\w+)}.*?)(?:\|(.*?))?\]/g, (_, words, key, other = "") =>
		String(frame[key] ?? "") ? words : other);
	return filled.split(/{(\w+)}/).map((part, at) => (at % 2 ? shown(part, frame[part]) : part));
}

function shown(key, value) {
	if (["name", "to", "whom"].includes(key)) return nameOf(value);
	if (["at", "until"].includes(key)) return moment(value);
	return oneLine(key === "rooms" ? value.map((room) => `#${room}`).join(", ") : String(value));
}

function pass(place, names, what) {
	const who = names.filter((name) => !isMe(name) && !ignores(name));
	const last = place.items.at(-1);
	if (!who.length) return;
	if (last?.what !== what) return place.append({ at: Date.now(), who, what });
	last.who.push(...who);
	log.redraw(last);
}

function know(place, names) {
	place.members = new Map(names.map((name) => [fold(name), name]));
}

function said(place, item) {
	item.gone = ignores(item.name);
	const isNew = !isMe(item.name) && !item.gone && !(item.id <= place.readId);
	const looking = place === focus && !document.hidden;
	if (isNew && (returning || !looking)) place.firstNew ??= item;
	place.append(item);
	if (!isNew || looking) return;
	place.unread++;
	const called = place.name || mentions(visible(item.text), kept.name);
	place.called ||= called;
	if (called && !returning) page.notify(place, item);
}

/** What one posted is there, or has failed. */
function posted(frame, more) {
	const place = frame.to ? placeOf({ name: frame.to }) : inRoom(frame.room);
	if (place) said(place, { ...frame, name: kept.name, ...more });
	else if (more.reason) tell([oneLine(more.reason)]);
}

/** Returns what one posted where one is, and is not there yet. */
export function pending() {
	const here = link.unacked().filter(({ room, to }) => keyOf({ room, name: to }) === focus?.key);
	return here.map((frame) => ({ ...frame, name: kept.name, at: Date.now(), state: "pending" }));
}

export function tell(parts, place = focus, kind = "") {
	if (!place) return page.line(el("p", parts).textContent);
	place.append({ at: Date.now(), parts, kind });
	page.changed();
}

/** Args: what: an error, or a frame that tells of one. */
function alarm({ text, message = text }) {
	tell([oneLine(message)], focus, "alarm");
}

/** Goes to a place, or nowhere if there is none. */
export function go(place = null) {
	if (focus !== place) undivide();
	if (place) wanted = "";
	focus = place;
	kept.focus = place?.key;
	looked();
	page.went();
}

export function looked() {
	if (focus && !document.hidden) Object.assign(focus, { unread: 0, called: false });
	page.changed();
}

/** Takes away the line above what was new where one is. */
export function undivide() {
	const item = focus?.firstNew;
	if (!item) return;
	focus.firstNew = null;
	log.redraw(item);
}

function leave(place) {
	places.delete(place.key);
	if (focus === place) go(all()[0]);
}

export function enter(typed) {
	const room = plain(typed);
	if (inRoom(room)) return go(inRoom(room));
	wanted = `#${room}`;
	link.change({ t: "join", room });
}

export const converse = (name) => isMe(name) || go(placeOf({ name }));

export function close(place) {
	if (place.room) return link.change({ t: "part", room: place.room });
	leave(place);
	page.changed();
}

/** Has earlier messages come, and returns what waits for them. */
export function older(place, limit = 100) {
	if (!returning) place.loading ??= load(place, limit);
	return place.loading;
}

async function load(place, limit) {
	try {
		const before = place.items.find(({ id }) => id)?.id ?? place.last + 1;
		const { messages, more } = await link.ask({ t: "history", room: place.room, before, limit });
		place.prepend(messages.map((message) => ({ ...message, gone: ignores(message.name) })), more);
	} catch (error) {
		place.more = !link.ready;
		if (link.ready) alarm(error);
	}
	place.loading = null;
	if (place === focus) log.changed();
}

export async function find({ room, id }) {
	const place = inRoom(room);
	if (!place) return enter(room);
	go(place);
	const found = () => place.items.find((item) => item.id === id);
	while (!found() && place.more && link.ready) await older(place, 500);
	if (found() && place === focus) log.reveal(found());
}

export function perform(text) {
	try {
		const { name, values, frame } = parse(text);
		if (commands[name]) commands[name](...values);
		else send(frame);
		return true;
	} catch (error) {
		alarm(error);
	}
}

export const request = (frame) => link.ask(frame).catch(alarm);

/** Sends what a command makes, with what only the page knows: what is null there. */
function send(frame) {
	if (frame.room === null) frame.room = here();
	if (frame.t === "redact") frame.id = meant(frame.id);
	if (frame.password === null) page.door("password", frame);
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
	link.post(frame);
	log.toEnd();
}

function say(text, kind) {
	const { room, name } = focus ?? fail("you are in no room; /join ROOM enters one");
	post(room ? { t: "say", room, text, kind } : { t: "tell", to: name, text, kind });
}

function fail(text) {
	throw new Error(text);
}

const here = () => focus?.room ?? fail("this is no room");
const known = (room) => (room ? inRoom(plain(room)) : focus) ?? fail("you are not in there");

function msg(name, text) {
	post({ t: "tell", to: name, text });
	converse(name);
}

export const commands = {
	say,
	help: () => tell([offered(role).map(({ usage, help }) => `${usage.padEnd(27)}  ${help}`).join("\n")], focus, "table"),
	me: (text) => say(text, "action"),
	msg,
	reply: (text) => msg(teller || fail("nobody has written to you yet"), text),
	ignore(name) {
		kept.ignored ??= [];
		if (name && isMe(name)) fail("you cannot ignore yourself");
		if (name) kept.ignored.push(fold(name));
		tell([`You ignore ${kept.ignored.map(oneLine).join(", ") || "nobody"}.`]);
	},
	unignore(name) {
		kept.ignored = kept.ignored?.filter((one) => one !== fold(name));
		tell([`You see again what ${oneLine(name)} says.`]);
	},
	join: enter,
	part: (room) => close(known(room)),
	topic(text) {
		const room = here();
		if (text) request({ t: "topic", room, text });
		else tell([`Topic: ${oneLine(focus.topic) || "none"}`]);
	},
	search: page.search,
	who(room) {
		go(known(room));
		page.search("");
	},
	quit: () => link.leave(),
};
