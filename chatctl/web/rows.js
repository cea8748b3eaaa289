// What an item of a place looks like. All that others wrote is cleaned first.

import { el, kept } from "./dom.js";
import { markup, mentions } from "./markup.js";
import { clock, colour, day, fold, moment, oneLine, visible } from "./text.js";

const TOGETHER = 5 * 60_000; // milliseconds, within which what one says stands under one heading
const NAMES_SHOWN = 12;

/** Returns a name in its colour. */
export const nameOf = (name) => el("bdi", { class: `name ${colour(name)}` }, oneLine(name));
export const labelOf = ({ room, name }) => (room ? `#${oneLine(room)}` : oneLine(name));

/** Returns the first letter of a name, in its colour. */
export const badge = (name) =>
	el("span", { class: `badge ${colour(name)}`, "aria-hidden": "true" }, [...oneLine(name)][0]?.toUpperCase());

/** Returns names, and how many there are besides. */
export function names(list, count = list.length) {
	const shown = list.slice(0, NAMES_SHOWN);
	const more = count - shown.length;
	return [...shown.flatMap((name, at) => [at && ", ", nameOf(name)]), more > 0 && ` and ${more} more`];
}

const time = (at) => el("time", { title: moment(at) }, clock(at));

/** Returns what an item looks like behind another one; behind itself, if that does not matter. */
export function draw(item, previous) {
	if (item.gone) return el("div", { hidden: true });
	if (item.divider) return el("div", { class: "day new", role: "separator" }, el("span", null, item.divider));
	const newDay = previous !== item && day(item.at) !== (previous?.at && day(previous.at)) && !previous?.divider;
	const row = item.parts
		? el("div", { class: `note ${item.kind}` }, time(item.at), el("div", { class: "body" }, ...item.parts))
		: message(item, !newDay && previous);
	return newDay ? el("div", null, el("div", { class: "day", role: "separator" }, el("span", null, day(item.at))), row) : row;
}

function message(item, previous) {
	const { name, at, text, kind, state = "" } = item;
	const isAction = kind === "action" && text;
	const follows = !isAction && previous?.name === name && previous !== item && at - previous.at < TOGETHER;
	const shown = visible(text);
	const called = name !== kept.name && fold(name) !== fold(kept.name) && mentions(shown, kept.name);
	const marked = markup(shown, kept.name);
	return el(
		"article",
		{ class: `msg ${state} ${follows ? "follows" : ""} ${called ? "called" : ""}`, "data-id": item.id },
		follows ? time(at) : badge(name),
		el(
			"div",
			{ class: "body" },
			!isAction && el("div", { class: follows ? "unseen" : "head" }, nameOf(name), !follows && time(at)),
			isAction
				? el("div", { class: "text action", dir: "auto" }, "* ", nameOf(name), " ", marked, time(at))
				: el("div", { class: text ? "text" : "text removed", dir: "auto" }, text ? marked : "(removed)"),
			item.reason && el("p", { class: "alarm" }, `Not delivered: ${oneLine(item.reason)}`),
		),
	);
}
