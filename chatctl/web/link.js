// The connection: coming in, and back without loss or doubles (PROTOCOL.md, "Coming back"), what waits for an
// answer. Frames are handed on as they come; its own are those whose type begins with "_".

import { take } from "./chat.js";
import { keep, kept } from "./dom.js";
import { final } from "./tables.js";

const [SHORTEST, LONGEST] = [500, 30_000]; // milliseconds, as all times
const STEADY = 10_000; // after which the next wait is short again
const TAKEN = 30_000; // for which one's own old connection may have the name
const SILENT = 40_000; // after which the server is asked whether it is there
const PATIENCE = 15_000; // for its answer
const LOST = { code: "lost", text: "the connection was lost" };

/** What lets one in, and is kept nowhere. */
export const own = {};
/** The last id seen of each room that one is in, or null. */
export const rooms = new Map();
export let socket, timer, limits, ready;
let items = []; // not answered: {frame, sent, answer, fail}; of a post, the frame has a nonce, else an n
let barrier, deadline, heardAt, connectedAt, takenAt, ending, unconfirmed, everIn, leaving;
let [number, pause] = [0, 2 * SHORTEST];
const nonces = crypto.getRandomValues(new Uint32Array(3)).join("-");

/** Args: seen: the rooms to come in, or back, to: the last id seen there, or null. */
export function start(seen) {
	for (const room in seen) rooms.set(room, seen[room]);
	for (const frame of kept.unacked ?? []) add({ frame });
}

export function open() {
	clearTimeout(timer);
	drop();
	ending = timer = null;
	socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
	socket.onopen = hello;
	socket.onmessage = ({ data }) => receive(JSON.parse(data));
	socket.onclose = lost;
	deadline = Date.now() + PATIENCE;
}

function hello() {
	unconfirmed = new Set(rooms.keys());
	const { name, key, session: resume } = kept;
	write({ t: "hello", v: 1, name, key, password: own.password, resume, rooms: Object.fromEntries(rooms), agent: "browser" });
	barrier = --number; // its answer comes behind all that is replayed
	write({ t: "ping", n: barrier });
}

function write(frame) {
	socket.send(JSON.stringify(frame));
}

function drop() {
	if (!socket) return;
	socket.onopen = socket.onmessage = socket.onclose = null;
	socket.close();
	socket = null;
}

function lost() {
	drop();
	ready = false;
	const all = items;
	items = all.filter(({ fail, frame, sent }) => !fail && !(sent && frame.t === "part"));
	for (const item of all) item.sent = item.fail?.(new Error(LOST.text));
	const end = { ...LOST, ...ending };
	const wait = waiting(end.code, (end.retry ?? 0) * 1000);
	if (wait) timer = setTimeout(open, wait);
	take({ ...end, t: wait ? "_lost" : end.wants || !everIn ? "_refused" : "_ended" });
}

function waiting(code, asked) {
	const now = Date.now();
	if (final.includes(code) || leaving) return;
	if (code === "name-taken" && (!everIn || now - (takenAt ??= now) > TAKEN)) return;
	if (now - connectedAt >= STEADY) pause = 2 * SHORTEST;
	connectedAt = NaN;
	const wait = (pause * (1 + Math.random())) / 2;
	pause = Math.min(2 * pause, LONGEST);
	return Math.max(wait, Math.min(asked, 10 * LONGEST) + SHORTEST * Math.random());
}

export function hurry() {
	if (timer) open();
}

function listen() {
	const now = Date.now();
	if (!socket) return;
	if (deadline && now > deadline) lost();
	else if (!deadline && now - heardAt > SILENT) {
		deadline = now + PATIENCE;
		write({ t: "ping" });
	}
}

/** Posts a say or tell once, whatever happens to the line. */
export function post(frame) {
	add({ frame: { ...frame, nonce: `${nonces}-${--number}` } });
	keep(true);
}

export function ask(frame) {
	return new Promise((answer, fail) => numbered(frame, { answer, fail }));
}

export function change(frame) {
	if (frame.t === "part") rooms.delete(frame.room);
	numbered(frame);
}

export function leave() {
	leaving = true;
	clearTimeout(timer);
	if (ready) write({ t: "bye" });
	else lost();
}

function numbered(frame, item) {
	add({ ...item, frame: { ...frame, n: --number } });
}

function add(item) {
	items.push(item);
	flush();
}

function flush() {
	for (const item of items)
		if (!item.sent) {
			if (!ready || !mayGo(item.frame)) return;
			item.sent = true;
			write(item.frame);
		}
}

// A nonce is remembered with the name and room of the one who posts: they must not change meanwhile.
function mayGo({ t, nonce }) {
	const flying = items.filter(({ sent }) => sent).map(({ frame }) => frame);
	if (nonce) return !flying.some((other) => ["rename", "login"].includes(other.t));
	return !["rename", "login", "part"].includes(t) || !flying.some((other) => other.nonce);
}

export function unacked() {
	return items.map(({ frame }) => frame).filter(({ nonce }) => nonce);
}

function settle(key) {
	const item = items.find(({ frame }) => (frame.nonce ?? frame.n) === key);
	if (item) items.splice(items.indexOf(item), 1);
	return item;
}

function receive(frame) {
	heardAt = Date.now();
	deadline = 0;
	if (frame.t === "ping") return write({ t: "pong", re: frame.n });
	if (frame.t === "bye" || frame.fatal) return (ending = frame);
	const isNew = note(frame);
	const item = settle(frame.nonce ?? frame.re);
	if (frame.t === "error") refuse(frame, item);
	else if (isNew || item) take(frame, item);
	item?.answer?.(frame);
	flush();
}

function note(frame) {
	const { t, room } = frame;
	if (t === "msg" || t === "ack") return reach(room, frame.id) && t === "msg";
	if (t === "gap") return reach(room, frame.before - 1);
	if (t === "room") return enter(frame);
	if (t === "pong") return frame.re === barrier && caughtUp();
	if (t === "renamed" && frame.name === kept.name) kept.name = frame.to;
	if (t === "welcome") welcome(frame);
	if (t === "presence" && frame.left.includes(kept.name)) rooms.delete(room);
	return true;
}

function welcome({ name, session, key = kept.key, ...frame }) {
	everIn = true;
	takenAt = undefined;
	connectedAt = Date.now();
	limits = frame.limits;
	Object.assign(kept, { name, session, key });
	keep(true);
}

function caughtUp() {
	for (const room of unconfirmed) rooms.delete(room);
	ready = true;
	take({ t: "_caughtup" });
}

function refuse(error, item) {
	if (item?.fail) item.fail(new Error(error.text));
	else take(item?.frame.nonce ? { ...error, t: "_failed" } : error, item);
}

function enter(state) {
	const { room, last, re } = state;
	if (!rooms.has(room) && re === undefined) return false; // it was left meanwhile
	const newest = rooms.get(room) ?? null;
	// A server that kept nothing numbers anew after a restart, and replays as to a new client.
	state.seen = newest > last ? null : newest;
	rooms.set(room, state.seen ?? (last ? null : 0));
	unconfirmed.delete(room);
	return true;
}

/** Returns whether an id was not seen yet, and notes that it is now. */
function reach(room, id) {
	if (!rooms.has(room) || id === undefined) return true;
	if (id <= (rooms.get(room) ?? -1)) return false;
	rooms.set(room, id);
	return true;
}

setInterval(listen, 5000);
