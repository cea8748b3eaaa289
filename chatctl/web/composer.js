// The box one types in: it grows, completes, and keeps a draft for each place.

import { complete } from "./commands.js";
import { $, el, keep, kept } from "./dom.js";

const CHOICES_SHOWN = 40;
const [box, list] = [$("say"), $("choices")];
const before = () => box.value.slice(0, box.selectionStart);
let [place, choices, start, chosen, sources, send] = [null, []];

/** Args: sources returns names and rooms; send gets a text, and returns whether it is done with. */
export function compose(...given) {
	[sources, send] = given;
	box.addEventListener("input", typed);
	box.addEventListener("keydown", key);
	box.addEventListener("blur", close);
}

/** The box is for this place now, and has its draft. */
export function show(next, label) {
	place = next;
	box.value = kept.drafts?.[place?.key] ?? "";
	box.placeholder = label;
	box.setAttribute("aria-label", label);
	close();
	grow();
}

/** Closes the choices; returns whether there were any. */
export function close() {
	const open = choices.length > 0;
	choices = [];
	list.hidden = true;
	box.removeAttribute("aria-activedescendant");
	return open;
}

function typed() {
	grow();
	draft();
	if (/^\/\S*( +\S*)?$|(^|\s)@\S*$/.test(before())) offer();
	else close();
}

function grow() {
	box.style.height = "auto";
	box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
	$("send").disabled = !box.value.trim();
}

function draft() {
	kept.drafts ??= {};
	if (place) kept.drafts[place.key] = box.value || undefined;
	keep();
}

export function submit() {
	const text = box.value;
	if (!text.trim()) return;
	box.value = "";
	draft();
	if (!send(text)) box.value = text;
	draft();
	close();
	grow();
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

const isUnfinished = () => before().slice(start) !== choices[chosen][0].trim();

/** Shows what the last word may become, or takes the only thing that it may; returns whether there is any. */
function offer(takesOne) {
	close();
	[start, choices] = complete(before(), ...sources());
	choices = choices.slice(0, CHOICES_SHOWN);
	const found = choices.length;
	if (takesOne && found === 1) take(choices[0]);
	else if (found) draw();
	return found;
}

function draw() {
	const rows = choices.map(([what, usage = what, help], at) => {
		const row = el("li", { role: "option", id: `choice-${at}` }, el("bdi", null, usage), help && el("span", null, help));
		row.addEventListener("mousedown", (event) => {
			event.preventDefault();
			take(choices[at]);
		});
		return row;
	});
	list.replaceChildren(...rows);
	list.hidden = false;
	mark(0);
}

function mark(at) {
	chosen = at;
	[...list.children].forEach((row, other) => row.setAttribute("aria-selected", other === at));
	list.children[at].scrollIntoView({ block: "nearest" });
	box.setAttribute("aria-activedescendant", `choice-${at}`);
}

function take([what]) {
	box.setRangeText(what, start, box.selectionStart, "end");
	close();
	typed();
}
