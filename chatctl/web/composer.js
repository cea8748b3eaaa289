// The box one types in: it completes, and keeps a draft for each place.

import { completions, focus, perform } from "./chat.js";
import { complete } from "./commands.js";
import { $, el, keep, kept } from "./dom.js";

const CHOICES_SHOWN = 40;
const SECRET = /^\s*\/(register|login)/i; // behind which a password may be typed by mistake
const { say: box, choices: list } = $;
const before = () => box.value.slice(0, box.selectionStart);
let [choices, start, chosen] = [[]];

export function show(label) {
	box.placeholder = box.ariaLabel = label;
	write(kept.drafts?.[focus?.key] ?? "");
}

function write(text) {
	box.value = text;
	changed();
	close();
}

function changed() {
	kept.drafts ??= {};
	if (focus) kept.drafts[focus.key] = SECRET.test(box.value) ? "" : box.value;
	keep();
}

export function close() {
	const open = choices.length > 0;
	choices = [];
	list.replaceChildren();
	box.removeAttribute("aria-activedescendant");
	return open;
}

function typed() {
	changed();
	if (/^\/\S*( +\S*)?$|(^|\s)@\S*$/.test(before())) offer();
	else close();
}

export function submit() {
	const text = box.value;
	if (!text.trim()) return;
	write("");
	if (!perform(text)) write(text);
	box.focus();
}

function key(event) {
	const { key, shiftKey, altKey, isComposing } = event;
	const step = { ArrowDown: 1, ArrowUp: -1 }[key];
	if (isComposing || shiftKey || altKey) return;
	if (choices.length && step) mark((chosen + step + choices.length) % choices.length);
	else if (choices.length && (key === "Tab" || (key === "Enter" && isUnfinished()))) take(choices[chosen]);
	else if (key === "Enter") submit();
	else if (key !== "Tab" || !offer(true)) return;
	event.preventDefault();
}

const isUnfinished = () => choices.every(([what]) => what.trim() !== before().slice(start));

function offer(takesOne) {
	close();
	[start, choices] = complete(before(), ...completions());
	const found = choices.length;
	choices.splice(CHOICES_SHOWN);
	if (takesOne && found === 1) take(choices[0]);
	else if (found) draw();
	return found;
}

function draw() {
	list.replaceChildren(...choices.map(([what, usage = what, help], at) =>
		el("li", { role: "option", id: `choice-${at}`, onclick: () => take([what]) }, el("bdi", usage), help && el("span", help))));
	mark(0);
}

function mark(at) {
	chosen = at;
	[...list.children].forEach((row, other) => (row.ariaSelected = other === at));
	list.children[at].scrollIntoView({ block: "nearest" });
	box.setAttribute("aria-activedescendant", `choice-${at}`);
}

function take([what]) {
	box.setRangeText(what, start, box.selectionStart, "end");
	close();
	typed();
}

box.oninput = typed;
box.onkeydown = key;
box.onblur = close;
list.onmousedown = (event) => event.preventDefault(); // the box stays where the keys go
