// What a text looks like, in the dialect of chatctl/client/display/markup.py and literals.py, which say more.

import { el } from "./dom.js";
import { fold } from "./text.js";

const MOST = 250; // of each kind in a text
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n]*)$/gm;
const TICKS = /`+|\n/g;
const TICKS_OR_ADDRESS = /`+|(?<![\p{L}\p{N}_])https?:\/\/(?:[\p{L}\p{N}_]|\[[\da-f:]+\])[^\s<>"`]*/giu;
const PAIRS = { ")": "(", "]": "[", "}": "{" };
const LINKABLE = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;
const STARS = /(?<!\*)\*{1,3}(?!\*)/g;
const WORD = /[^\0-,/:-?[-^`{-\x7f]+/g;
const JOINTS = /^[.\-@]+|[.\-@]+$/g;

/** Returns what a text, cleaned by `visible`, looks like to the one who is called `name`. */
export function markup(text, name) {
	const page = document.createDocumentFragment();
	const open = [page];
	let done = 0;
	const write = (end, next) => {
		let plain = text.slice(done, end);
		if (next === "fence") plain = plain.replace(/\n$/, "");
		if (open.at(-1).lastChild?.tagName === "PRE") plain = plain.replace(/^\n/, "");
		if (plain) open.at(-1).append(plain);
	};
	const parts = literals(text);
	const marks = [...parts, ...stars(text, parts), ...named(text, parts, name)].sort((one, other) => one[1] - other[1]);
	for (const [kind, start, end, from = start, to = end] of marks) {
		write(start, kind);
		if (kind === "opens") open.push(emphasis(open.at(-1), end - start));
		else if (kind === "closes") open.pop();
		else open.at(-1).append(drawn(kind, text.slice(from, to)));
		done = end;
	}
	write(text.length);
	return page;
}

function emphasis(parent, stars) {
	if (stars === 3) return emphasis(emphasis(parent, 2), 1);
	return parent.appendChild(el(stars === 2 ? "strong" : "em"));
}

function drawn(kind, text) {
	if (kind === "name") return el("mark", null, text);
	if (kind === "code") return el("code", null, text);
	if (kind === "fence") return el("pre", null, el("code", null, text));
	return LINKABLE.test(text) ? el("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text) : text;
}

/** Returns whether a text names the one who is called `name`. */
export const mentions = (text, name) => named(text, literals(text), name).length > 0;

// Literals: [kind, start, end, inner start, inner end]

function literals(text) {
	const found = [];
	let done = 0;
	for (const fence of fences(text)) {
		found.push(...withinLines(text, done, fence[1]), fence);
		done = fence[2];
	}
	return [...found, ...withinLines(text, done, text.length)].slice(0, MOST);
}

function fences(text) {
	const ending = {};
	const lines = [...text.matchAll(FENCE)]
		.map((line) => ({ at: line.index, end: line.index + line[0].length, marks: line[1], word: line[2].trimEnd() }))
		.filter(({ word }) => /^[\p{L}\p{N}_+#.-]*$/u.test(word));
	for (const line of [...lines].reverse()) {
		line.closing = ending[line.marks];
		if (!line.word) ending[line.marks] = line;
	}
	let done = 0;
	return lines.flatMap(({ at, end, closing }) => {
		if (!closing || at < done || end + 1 >= closing.at) return [];
		done = closing.end;
		return [["fence", at, done, end + 1, closing.at - 1]];
	});
}

function withinLines(text, start, end) {
	const part = text.slice(0, end);
	const closing = closingTicks(part, start);
	const found = [];
	let done = start;
	for (const match of from(TICKS_OR_ADDRESS, part, start)) {
		const at = match.index;
		const stop = at + match[0].length;
		const literal = at >= done && (part[at] === "`" ? code(part, at, stop, closing.get(at)) : address(part, at, stop));
		if (!literal) continue;
		done = literal[2];
		if (found.push(literal) === MOST) break;
	}
	return found;
}

function* from(pattern, text, start) {
	pattern = new RegExp(pattern);
	pattern.lastIndex = start;
	for (let match; (match = pattern.exec(text)); ) yield match;
}

/** Returns where each run of backticks has the next one of its length on the same line. */
function closingTicks(text, start) {
	const found = new Map();
	let ending = {};
	for (const { index, 0: run } of [...from(TICKS, text, start)].reverse())
		if (run === "\n") ending = {};
		else {
			found.set(index, ending[run.length]);
			ending[run.length] = index;
		}
	return found;
}

function code(text, start, from, to) {
	if (to === undefined) return null;
	const end = to + from - start;
	const spaced = /\s/.test(text[from]) + /\s/.test(text[to - 1]);
	if (spaced && (spaced < 2 || from - start < 2)) return null;
	if (spaced) [from, to] = [from + 1, to - 1]; // so that code can begin with a backtick
	return from < to && ["code", start, end, from, to];
}

function address(text, start, end) {
	const surplus = {};
	const part = text.slice(start, end);
	for (const mark in PAIRS) surplus[mark] = part.split(mark).length - part.split(PAIRS[mark]).length;
	while (".,;:!?'*".includes(text[end - 1]) || surplus[text[end - 1]] > 0) surplus[text[--end]] -= 1;
	return ["address", start, end];
}

/** Returns where there is text that is not literal. */
const gaps = (parts, length) => [0, ...parts.map((part) => part[2])].map((end, at) => [end, parts[at]?.[1] ?? length]);

// Emphasis

function stars(text, parts) {
	const ends = new Set(parts.map((part) => part[2]));
	let opened = new Map();
	const found = [];
	for (const [start, end] of starRuns(text, parts)) {
		const length = end - start;
		const [opens, closes] = roles(/.?$/su.exec(text.slice(Math.max(0, start - 2), start))[0], text.slice(end, end + 2), ends.has(start));
		if (opens && (!closes || !opened.has(length))) {
			opened.set(length, [start, end]);
			continue;
		}
		const opening = opened.get(length);
		opened.delete(length); // What has other such stars in its midst is no emphasis.
		if (!closes || !opening || text.slice(opening[1], start).includes("\n")) continue;
		opened = new Map([...opened].filter(([, other]) => other[0] < opening[0]));
		if (found.push(["opens", ...opening], ["closes", start, end]) >= 2 * MOST) break;
	}
	return found;
}

function* starRuns(text, parts) {
	for (const [start, end] of text.includes("*") ? gaps(parts, text.length) : [])
		for (const { index, 0: run } of from(STARS, text, start)) {
			if (index >= end) break;
			yield [index, index + run.length];
		}
}

/** Returns whether stars between two characters may begin emphasis, and whether end it. */
function roles(before, after, followsLiteral) {
	after = [...after][0] ?? "";
	const opens = isOutside(before, "([{\"'") && after.trim() && !".,;!?)]}".includes(after);
	const closes = isOutside(after, ".,;:!?)]}\"'") && (followsLiteral || isLast(before));
	const between = [before, after].every((one) => /[\p{L}\p{N}]/u.test(one));
	return opens && closes && !between ? [] : [opens, closes];
}

function isOutside(character, punctuation) {
	if (!character.trim()) return true;
	if (character < "\x80") return punctuation.includes(character);
	return !/[\p{L}\p{M}\p{N}]/u.test(character) || /\p{Lo}/u.test(character);
}

const isLast = (character) =>
	Boolean(character.trim()) && (character >= "\x80" || /[a-z\d.,;:!?)\]}"'%]/i.test(character));

// Mentions

function named(text, parts, name) {
	const wanted = fold(name.replace(JOINTS, ""));
	const words = text.replace(/[^\0-\x7f\p{L}\p{M}\p{N}]/gu, (character) => " ".repeat(character.length));
	const found = [];
	for (const [start, end] of wanted ? gaps(parts, text.length) : [])
		for (const match of words.slice(start, end).matchAll(WORD)) {
			const word = match[0].replace(JOINTS, "");
			if (!word || word.length > 128 || fold(word) !== wanted) continue; // longer ones are no names
			const at = start + match.index + match[0].indexOf(word);
			if (found.push(["name", at, at + word.length]) === MOST) return found;
		}
	return found;
}
