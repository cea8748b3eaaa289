// What a text looks like, in the dialect of chatctl/client/display/markup.py and literals.py, which say more.

import { el } from "./dom.js";
import { fold } from "./text.js";

const MOST = 250; // of each kind in a text
const FENCE = /^ {0,3}(`{3,}|~{3,})([^\n]*)$/gm;
const LANGUAGE = /^[\p{L}\p{N}_+#.-]*$/u;
const LITERAL = /`+|(?<![\p{L}\p{N}_])https?:\/\/(?:[\p{L}\p{N}_]|\[[\da-f:]+\])[^\s<>"`]*/giu;
const PAIRS = { ")": "(", "]": "[", "}": "{" };
const LINKABLE = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;
const STARS = /(?<!\*)\*{1,3}(?!\*)/g;
// What may be before emphasis, begin it, end it, and be behind it.
const BEFORE = /^$|[\s([{"']|\p{Lo}|[^\0-\x7f\p{L}\p{M}\p{N}]/u;
const FIRST = /[^\s.,;!?)\]}]/;
const LAST = /[a-z\d.,;:!?)\]}"'%]|[^\0-\x7f\s]/i;
const AFTER = /^$|[\s.,;:!?)\]}"']|\p{Lo}|[^\0-\x7f\p{L}\p{M}\p{N}]/u;
const LETTER = /[\p{L}\p{N}]/u;
const WORD = /[\w\p{L}\p{M}\p{N}]([-.@\w\p{L}\p{M}\p{N}]*[\w\p{L}\p{M}\p{N}])?/gu;

export function markup(text, name) {
	const open = [document.createDocumentFragment()];
	let done = 0;
	const parts = literals(text);
	const bare = without(text, parts);
	const marks = [...parts, ...stars(text, bare, parts), ...named(bare, name)].sort(byStart);
	for (const [kind, start, end, from = start, to = end] of marks) {
		const within = open.at(-1);
		within.append(text.slice(done, start));
		if (kind === "opens") open.push(emphasis(within, end - start));
		else if (kind === "closes") open.pop();
		else within.append(drawn(kind, text.slice(from, to)));
		done = end;
	}
	open[0].append(text.slice(done));
	return open[0];
}

export const mentions = (text, name) => named(without(text, literals(text)), name).length > 0;

const byStart = (one, other) => one[1] - other[1];

function emphasis(parent, stars) {
	if (stars === 3) return emphasis(emphasis(parent, 2), 1);
	return parent.appendChild(el(stars === 2 ? "strong" : "em"));
}

function drawn(kind, text) {
	if (kind === "fence") return el("pre", el("code", text));
	if (kind !== "address") return el(kind, text);
	return LINKABLE.test(text) ? el("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text) : text;
}

// Literals: [kind, start, end, inner start, inner end]

function literals(text) {
	const found = [];
	let done = 0;
	const others = Array.from(text.matchAll(LITERAL), ({ index, 0: part }) => [part, index, index + part.length]);
	for (const part of [...fences(text), ...others].sort(byStart)) {
		const [kind, start, end] = part;
		if (start < done) continue;
		const literal = kind === "fence" ? part : (kind[0] === "`" ? code : address)(text, start, end);
		if (!literal) continue;
		done = literal[2];
		if (found.push(literal) === MOST) break;
	}
	return found;
}

function fences(text) {
	const closing = {};
	return [...text.matchAll(FENCE)].reverse().flatMap(({ index, 0: line, 1: marks, 2: rest }) => {
		const [word = "", more] = rest.match(/[^ \t]+/g) ?? [];
		if (more || !LANGUAGE.test(word)) return [];
		const inner = index + line.length + 1;
		const [end, innerEnd] = closing[marks] ?? [];
		if (!word) closing[marks] = [inner, index - 1]; // with its line end, which is none that one sees
		return inner <= innerEnd ? [["fence", index, end, inner, innerEnd]] : [];
	});
}

function code(text, start, from) {
	const ticks = from - start;
	const inside = new RegExp(`[^\\n]*?[^\`\\n](?=\`{${ticks}}(?!\`))`, "y");
	inside.lastIndex = from;
	const inner = inside.exec(text)?.[0] ?? "";
	const to = from + inner.length;
	const spaced = /^\s/.test(inner) + /\s$/.test(inner);
	if (spaced && (spaced < 2 || ticks < 2)) return null;
	const cut = spaced / 2; // so that code can begin with a backtick
	return from + cut < to - cut && ["code", start, to + ticks, from + cut, to - cut];
}

function address(text, start, end) {
	const surplus = {};
	const part = text.slice(start, end);
	for (const mark in PAIRS) surplus[mark] = part.split(mark).length - part.split(PAIRS[mark]).length;
	while (".,;:!?'*".includes(text[end - 1]) || surplus[text[end - 1]] > 0) surplus[text[--end]] -= 1;
	return ["address", start, end];
}

const without = (text, parts) =>
	parts.reduce((left, [, start, end]) => left.slice(0, start) + " ".repeat(end - start) + left.slice(end), text);

function stars(text, bare, parts) {
	const ends = new Set(parts.map((part) => part[2]));
	let opened = new Map();
	const found = [];
	for (const { index: start, 0: run } of bare.matchAll(STARS)) {
		const end = start + run.length;
		const [before = ""] = [...text.slice(Math.max(0, start - 2), start)].slice(-1);
		const [after = ""] = text.slice(end, end + 2);
		let opens = BEFORE.test(before) && FIRST.test(after);
		let closes = AFTER.test(after) && (ends.has(start) || LAST.test(before));
		// They may do both only between letters.
		if (opens && closes && !(LETTER.test(before) && LETTER.test(after))) opens = closes = false;
		const opening = opened.get(run);
		if (opens && (!closes || !opening)) opened.set(run, [start, end]);
		else {
			opened.delete(run);
			if (!closes || !opening || text.slice(opening[1], start).includes("\n")) continue;
			// What has other such stars in its midst is no emphasis.
			opened = new Map([...opened].filter(([, other]) => other[0] < opening[0]));
			if (found.push(["opens", ...opening], ["closes", start, end]) >= 2 * MOST) break;
		}
	}
	return found;
}

function named(bare, name) {
	const wanted = fold(name.replace(/^[-.@]+|[-.@]+$/g, ""));
	const isName = ({ 0: word }) => word.length <= 128 && fold(word) === wanted; // Longer ones are no names.
	return [...bare.matchAll(WORD)].filter(isName).slice(0, MOST).map(({ 0: word, index }) => ["mark", index, index + word.length]);
}
