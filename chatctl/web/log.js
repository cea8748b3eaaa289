// What was said in a place, as far as this page has it, and the window of it that is on the screen: so it stays
// quick however much there is.

import { focus as place, older, pending } from "./chat.js";
import { $, put } from "./dom.js";
import { draw } from "./rows.js";

const MOST = 240; // items in the window
const STEP = 80;
const NEAR = 600; // pixels from its edge at which it moves on

/** A room (`room`), or a conversation (`name`). */
export class Place {
	items = []; // without holes
	base = 0; // number of the first one
	last = 0; // newest id there is
	unread = 0;

	constructor(fields) {
		Object.assign(this, { more: Boolean(fields.room) }, fields);
	}

	get end() {
		return this.base + this.items.length;
	}

	append(item) {
		this.last = Math.max(this.last, item.id ?? 0);
		this.items.push(item);
		return item;
	}

	prepend(messages, more) {
		this.base -= messages.length;
		this.items = [...messages, ...this.items];
		this.more = more && messages.length > 0;
	}
}

const { log: box, messages: list } = $;
const rect = (node) => node.getBoundingClientRect();
let [rows, stuck, whole] = [new Map(), true]; // item: {row, previous}; whether it stays at the end, and is there
let [from, to, seen] = [0, 0, 0]; // numbers of items
let lastTop = 0;

export function show() {
	rows.clear();
	list.replaceChildren();
	toEnd();
	changed();
}

export function toEnd() {
	stuck = true;
	quietly(grown);
}

/** Items were added at the end, or to those that are pending. */
export function grown() {
	const waiting = pending();
	$.waiting.replaceChildren(...waiting.map((item, at) => draw(item, waiting[at - 1] ?? place.items.at(-1))));
	if (!place) return;
	if (stuck) seen = place.end;
	const start = stuck ? place.end - MOST : from;
	fit(start, start + MOST);
	toBottom();
	moved();
}

/** The history brought earlier items, or some look otherwise now. */
export function changed() {
	if (!place) return;
	move(from, to);
	if (list.offsetHeight < box.clientHeight && place.more) older(place);
	else scrolled();
}

export function redraw(item) {
	if (rows.delete(item)) move(from, to);
}

export function reveal(item) {
	const at = place.base + place.items.indexOf(item);
	stuck = false;
	move(at - MOST / 2, at + MOST / 2);
	const { row } = rows.get(item);
	row.scrollIntoView({ block: "center" });
	row.querySelector(".msg")?.classList.add("shown");
}

/** Has exactly the items of these numbers on the screen, as far as there are any. */
function fit(start, end) {
	from = Math.max(place.base, start);
	to = Math.min(place.end, end);
	whole = to === place.end;
	const old = rows;
	rows = new Map();
	let previous = place.items[from - place.base - 1];
	for (const item of place.items.slice(from - place.base, to - place.base)) {
		const known = old.get(item);
		const isSame = known && known.previous === previous;
		rows.set(item, isSame ? known : { row: draw(item, previous, item === place.firstNew), previous });
		if (!item.gone) previous = item;
	}
	const wanted = new Set([...rows.values()].map(({ row }) => row));
	for (const row of [...list.children]) if (!wanted.has(row)) row.remove();
	let next = list.firstChild;
	for (const row of wanted)
		if (row === next) next = next.nextSibling;
		else list.insertBefore(row, next);
}

function scrolled() {
	if (!place) return;
	const { scrollTop, scrollHeight, clientHeight } = box;
	const below = scrollHeight - scrollTop - clientHeight;
	// What grows below is no reason to leave the end: only who scrolls up does.
	if (below < 48) stuck ||= whole;
	else if (scrollTop < lastTop) stuck = false;
	lastTop = scrollTop;
	if (stuck) seen = place.end;
	if (scrollTop < NEAR && from > place.base) move(from - STEP, Math.min(to, from - STEP + MOST));
	else if (scrollTop < NEAR && place.more) older(place);
	else if (below < NEAR && to < place.end) move(Math.max(from, to + STEP - MOST), to + STEP);
	moved();
}

function moved() {
	const missed = place.items.slice(seen - place.base).filter(({ text, gone }) => text && !gone).length;
	$.newest.hidden = stuck;
	put({ newest: missed ? `${missed} new ↓` : "Newest ↓" });
}

function toBottom() {
	if (stuck) box.scrollTop = box.scrollHeight;
}

/** Has these items there, and what is being read stays where it is. */
function move(start, end) {
	const edge = rect(box).top;
	const [item, old] = [...rows].find(([, { row }]) => rect(row).bottom > edge) ?? [];
	const before = old && rect(old.row).top;
	quietly(() => fit(start, end));
	const kept = rows.get(item);
	if (kept) box.scrollTop += rect(kept.row).top - before;
	toBottom();
}

/** Changes rows without having them read out: nothing was said just now. */
function quietly(change) {
	list.ariaLive = "off";
	change();
	setTimeout(() => (list.ariaLive = "polite"), 100);
}

box.addEventListener("scroll", scrolled, { passive: true });
new ResizeObserver(toBottom).observe(box);
