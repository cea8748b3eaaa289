// What was said in a place, as far as this page has it, and the window of it that is on the screen: so it stays
// quick however much there is.

const MOST = 240; // items in the window
const STEP = 80;
const NEAR = 600; // pixels from its edge at which it moves on

/** A room (`room`), or a conversation (`name`). */
export class Place {
	items = []; // without holes
	base = 0; // number of the first one
	pending = []; // said, and not acked
	members = new Map(); // folded name: name
	topic = "";
	last = 0; // newest id there is
	readId = 0;

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

const rect = (node) => node.getBoundingClientRect();

export class Log {
	stuck = true; // to the end
	rows = new Map(); // item: {row, previous}

	/** Args: box, which scrolls; list and waiting, in it; draw(item, previous); older(place) gets more; moved(). */
	constructor(parts) {
		Object.assign(this, parts);
		this.box.onscroll = () => this.#scrolled();
		new ResizeObserver(() => this.#toBottom()).observe(this.box);
	}

	show(place) {
		this.place = place;
		this.rows.clear();
		this.toEnd();
		this.changed();
	}

	toEnd() {
		this.stuck = true;
		this.#quietly(() => this.grown());
	}

	/** Items were added at the end, or to those that are pending. */
	grown() {
		const { place, stuck } = this;
		if (stuck) this.seen = place.end;
		const from = stuck ? place.end - MOST : this.from;
		this.#window(from, from + MOST);
		this.waiting.replaceChildren(...place.pending.map((item) => this.draw(item, item)));
		this.#toBottom();
		this.moved();
	}

	/** The history brought earlier items, or some look otherwise now. */
	changed(place = this.place) {
		if (place !== this.place) return;
		this.#move(this.from, this.to);
		if (this.list.offsetHeight < this.box.clientHeight && place.more) this.older(place);
		else this.#scrolled();
	}

	redraw(item) {
		if (this.rows.delete(item)) this.#move(this.from, this.to);
	}

	/** Brings an item into view; returns its row. */
	reveal(item) {
		const at = this.place.base + this.place.items.indexOf(item);
		this.stuck = false;
		this.#move(at - MOST / 2, at + MOST / 2);
		const { row } = this.rows.get(item);
		row.scrollIntoView({ block: "center" });
		return row;
	}

	/** Has exactly the items of these numbers on the screen, as far as there are any. */
	#window(from, to) {
		const { place, list, rows } = this;
		this.from = Math.max(place.base, from);
		this.to = Math.min(place.end, to);
		this.whole = this.to === place.end;
		const first = this.from - place.base;
		this.rows = new Map();
		let previous = place.items[first - 1];
		for (const item of place.items.slice(first, this.to - place.base)) {
			const known = rows.get(item);
			this.rows.set(item, known?.previous === previous && known || { row: this.draw(item, previous), previous });
			if (!item.gone) previous = item;
		}
		const wanted = new Set([...this.rows.values()].map(({ row }) => row));
		for (const row of [...list.children]) if (!wanted.has(row)) row.remove();
		let next = list.firstChild;
		for (const row of wanted)
			if (row === next) next = next.nextSibling;
			else list.insertBefore(row, next);
	}

	#scrolled() {
		const { box, place, from, to } = this;
		if (!place) return;
		const below = box.scrollHeight - box.scrollTop - box.clientHeight;
		this.stuck = below < 48 && this.whole;
		if (this.stuck) this.seen = place.end;
		if (box.scrollTop < NEAR && from > place.base) this.#move(from - STEP, Math.min(to, from - STEP + MOST));
		else if (box.scrollTop < NEAR && place.more) this.older(place);
		else if (below < NEAR && to < place.end) this.#move(Math.max(from, to + STEP - MOST), to + STEP);
		this.moved();
	}

	#toBottom() {
		if (this.stuck) this.box.scrollTop = this.box.scrollHeight;
	}

	/** Has these items there, and what is being read stays where it is. */
	#move(from, to) {
		const edge = rect(this.box).top;
		const [item, old] = [...this.rows].find(([, { row }]) => rect(row).bottom > edge) ?? [];
		const before = old && rect(old.row).top;
		this.#quietly(() => this.#window(from, to));
		const kept = this.rows.get(item);
		if (kept) this.box.scrollTop += rect(kept.row).top - before;
		this.#toBottom();
	}

	/** Changes rows without having them read out: nothing was said just now. */
	#quietly(change) {
		this.list.ariaLive = "off";
		change();
		setTimeout(() => (this.list.ariaLive = "polite"), 100);
	}
}
