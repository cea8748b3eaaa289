// The connection: coming in, and back without loss or doubles (PROTOCOL.md, "Coming back"), what waits for an
// answer. Frames are handed on as they come; its own are those whose type begins with "_".

import { keep, kept } from "./dom.js";

const FINAL =
	"replaced banned kicked auth-required auth-failed forbidden bad-name bad-room bad-frame too-long unsupported-version tls-required bye";
const [SHORTEST, LONGEST] = [500, 30_000]; // milliseconds, as all times
const STEADY = 10_000; // after which the next wait is short again
const TAKEN = 30_000; // for which one's own old connection may have the name
const SILENT = 40_000; // after which the server is asked whether it is there
const PATIENCE = 15_000; // for its answer
const LOST = { code: "lost", text: "the connection was lost" };

export class Link {
	rooms = new Map(); // room: {newest, entered, confirmed}
	items = []; // not answered: {key, frame, isPost, sent, answer, fail}
	number = 0;
	wait = 2 * SHORTEST;
	nonces = crypto.getRandomValues(new Uint32Array(3)).join("-");

	constructor(take) {
		this.take = take;
		setInterval(() => this.#listen(), 5000);
	}

	start(rooms) {
		for (const room in rooms) this.rooms.set(room, { newest: rooms[room], entered: true });
		for (const frame of kept.unacked ?? []) this.#add({ frame, key: frame.nonce, isPost: true });
		this.open();
	}

	open() {
		clearTimeout(this.timer);
		this.#drop();
		this.end = this.timer = this.welcomed = null;
		const socket = (this.socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`));
		socket.onopen = () => this.#hello();
		socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
		socket.onclose = () => this.#lost();
		this.deadline = Date.now() + PATIENCE;
	}

	#hello() {
		for (const place of this.rooms.values()) place.confirmed = false;
		const { name, key, session: resume } = kept;
		this.#write({ t: "hello", v: 1, name, key, password: this.password, resume, rooms: this.seen, agent: "browser" });
		this.barrier = --this.number; // its answer comes behind all that is replayed
		this.#write({ t: "ping", n: this.barrier });
	}

	/** The last id seen of each room. */
	get seen() {
		return Object.fromEntries([...this.rooms].filter(([, { entered }]) => entered).map(([room, { newest }]) => [room, newest]));
	}

	#write(frame) {
		this.socket.send(JSON.stringify(frame));
	}

	#drop() {
		const { socket } = this;
		this.socket = null;
		if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
		socket?.close();
	}

	#lost() {
		this.#drop();
		this.ready = false;
		const all = this.items;
		this.items = all.filter(({ fail, frame, sent }) => !fail && !(sent && frame.t === "part"));
		for (const item of all) item.sent = item.fail?.(new Error(LOST.text));
		const end = { ...LOST, ...this.end };
		const wait = this.#pause(end.code, (end.retry ?? 0) * 1000);
		if (wait) this.timer = setTimeout(() => this.open(), wait);
		this.take({ ...end, t: wait ? "_lost" : end.wants || !this.everIn ? "_refused" : "_ended" });
	}

	#pause(code, asked) {
		const now = Date.now();
		if (FINAL.split(" ").includes(code) || this.leaving) return;
		if (code === "name-taken" && (!this.everIn || now - (this.takenAt ??= now) > TAKEN)) return;
		if (now - this.connectedAt >= STEADY) this.wait = 2 * SHORTEST;
		this.connectedAt = NaN;
		const wait = (this.wait * (1 + Math.random())) / 2;
		this.wait = Math.min(2 * this.wait, LONGEST);
		return Math.max(wait, Math.min(asked, 10 * LONGEST) + SHORTEST * Math.random());
	}

	hurry() {
		if (this.timer) this.open();
	}

	#listen() {
		const now = Date.now();
		if (!this.socket) return;
		if (this.deadline && now > this.deadline) this.#lost();
		else if (!this.deadline && now - this.heardAt > SILENT) {
			this.deadline = now + PATIENCE;
			this.#write({ t: "ping" });
		}
	}

	/** Posts a say or tell once, whatever happens to the line; returns it with its nonce. */
	post(frame) {
		const nonce = `${this.nonces}-${--this.number}`;
		frame = { ...frame, nonce };
		this.#add({ frame, key: nonce, isPost: true });
		keep(true);
		return frame;
	}

	ask(frame) {
		return new Promise((answer, fail) => this.#number(frame, { answer, fail }));
	}

	change(frame) {
		const { t, room } = frame;
		if (t === "join" && !this.rooms.has(room)) this.rooms.set(room, { newest: null });
		if (t === "part") this.rooms.delete(room);
		this.#number(frame);
	}

	leave() {
		this.leaving = true;
		clearTimeout(this.timer);
		if (this.ready) this.#write({ t: "bye" });
		else this.#lost();
	}

	#number(frame, item) {
		const n = --this.number;
		this.#add({ ...item, frame: { ...frame, n }, key: n });
	}

	#add(item) {
		this.items.push(item);
		this.#flush();
	}

	#flush() {
		for (const item of this.items)
			if (!item.sent) {
				if (!this.ready || !this.#mayGo(item)) return;
				item.sent = true;
				this.#write(item.frame);
			}
	}

	// A nonce is remembered with the name and room of the one who posts: they must not change meanwhile.
	#mayGo({ isPost, frame }) {
		const flying = this.items.filter(({ sent }) => sent);
		if (isPost) return !flying.some((other) => ["rename", "login"].includes(other.frame.t));
		return !["rename", "login", "part"].includes(frame.t) || !flying.some((other) => other.isPost);
	}

	get unacked() {
		return this.items.filter(({ isPost }) => isPost).map(({ frame }) => frame);
	}

	#settle(key) {
		const item = this.items.find((one) => one.key === key);
		if (item) this.items.splice(this.items.indexOf(item), 1);
		return item;
	}

	#receive(frame) {
		this.heardAt = Date.now();
		if (this.welcomed) this.deadline = 0;
		if (frame.t === "ping") return this.#write({ t: "pong", re: frame.n });
		if (frame.t === "bye" || frame.fatal) return (this.end = frame);
		const isNew = this.#note(frame);
		const item = this.#settle(frame.nonce ?? frame.re);
		if (frame.t === "error") this.#refuse(frame, item);
		else if (isNew || item) this.take(frame, item);
		item?.answer?.(frame);
		this.#flush();
	}

	#note(frame) {
		const { t, room } = frame;
		if (t === "msg" || t === "ack") return this.#reach(room, frame.id) && t === "msg";
		if (t === "gap") return this.#reach(room, frame.before - 1);
		if (t === "room") return this.#enter(frame);
		if (t === "pong") return frame.re === this.barrier && this.#caughtUp();
		if (t === "renamed" && frame.name === kept.name) kept.name = frame.to;
		if (t === "welcome") this.#welcome(frame);
		// Not where it is entered again, as long as that is not answered.
		if (t === "presence" && frame.left.includes(kept.name) && this.rooms.get(room)?.entered) this.rooms.delete(room);
		return true;
	}

	#welcome({ name, session, key = kept.key, limits }) {
		this.welcomed = this.everIn = true;
		this.deadline = this.takenAt = undefined;
		this.connectedAt = Date.now();
		this.limits = limits;
		Object.assign(kept, { name, session, key });
		keep(true);
	}

	#caughtUp() {
		for (const [room, { entered, confirmed }] of this.rooms)
			if (entered && !confirmed) {
				this.rooms.delete(room);
				this.take({ t: "_gone", room });
			}
		this.ready = true;
		this.take({ t: "_caughtup" });
	}

	#refuse(error, item) {
		const { t, room } = item?.frame ?? {};
		if (t === "join" && !this.rooms.get(room)?.entered) this.rooms.delete(room);
		if (item?.fail) item.fail(new Error(error.text));
		else this.take(item?.isPost ? { ...error, t: "_failed" } : error, item);
	}

	#enter(state) {
		const place = this.rooms.get(state.room);
		if (!place) return false;
		// A server that kept nothing numbers anew after a restart, and replays as to a new client.
		state.anew = place.newest !== null && state.last < place.newest;
		if (state.anew) place.newest = null;
		state.seen = place.newest;
		place.newest ??= state.last ? null : 0;
		place.entered = place.confirmed = true;
		return true;
	}

	/** Returns whether an id was not seen yet, and notes that it is now. */
	#reach(room, id) {
		const place = this.rooms.get(room);
		if (!place || id === undefined) return true;
		if (id <= (place.newest ?? -1)) return false;
		place.newest = id;
		return true;
	}
}
