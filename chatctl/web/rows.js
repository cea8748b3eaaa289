// What an item of a place looks like. All that others wrote is cleaned first.

import { el, kept } from "./dom.js";
import { markup } from "./markup.js";
import { clock, colour, day, fold, moment, oneLine, visible } from "./text.js";

const TOGETHER = 5 * 60_000; // milliseconds, within which what one says stands under one heading
const NAMES_SHOWN = 12;

export const nameOf = (name) => el(`bdi.name.${colour(name)}`, oneLine(name));
export const labelOf = ({ room, name }) => (room ? `#${oneLine(room)}` : oneLine(name));
export const badge = (name) =>
	el(`span.badge.${colour(name)}`, { "aria-hidden": "true" }, [...oneLine(name)][0]?.toUpperCase());

function names(list) {
	const more = list.length - NAMES_SHOWN;
	return [list.slice(0, NAMES_SHOWN).map((name, at) => [at && ", ", nameOf(name)]), more > 0 && ` and ${more} more`];
}

const time = ({ at, id }) => el("time", { title: moment(at) + (id ? `, #${id}` : "") }, clock(at));
const rule = (kind, text) => el(`div.day${kind}`, { role: "separator" }, el("span", text));

/** Args: isFirstNew: it is the first that one has not seen. */
export function draw(item, previous, isFirstNew) {
	if (item.gone) return el("div", { hidden: true });
	const today = day(item.at);
	const isNewDay = today !== (previous && day(previous.at));
	const row = item.name ? message(item, !isNewDay && !isFirstNew && previous) : note(item);
	return el("div", isNewDay && rule("", today), isFirstNew && rule(".new", "New"), row);
}

function note(item) {
	const { who, what, parts = [names(who), ` ${what}`], kind } = item;
	return el(kind ? `div.note.${kind}` : "div.note", time(item), el("div.body", parts));
}

function message(item, previous) {
	const { name, at, text, kind, state = "", reason } = item;
	const follows = previous?.name === name && at - previous.at < TOGETHER;
	const what = text ? markup(visible(text), kept.name) : "(removed)";
	const called = text && fold(name) !== fold(kept.name) && what.querySelector("mark");
	const kinds = `${state}${follows ? ".follows" : ""}${called ? ".called" : ""}`;
	const look = !text ? ".removed" : kind === "action" ? ".action" : "";
	return el(`article.msg.${kinds}`, { "data-id": item.id }, follows ? time(item) : badge(name), el("div.body",
		el("div.head", nameOf(name), !follows && time(item)),
		el(`div.text${look}`, { dir: "auto" }, look === ".action" && ["* ", nameOf(name), " "], what),
		reason && el("p.alarm", `Not delivered: ${oneLine(reason)}`)));
}
