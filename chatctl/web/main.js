// The page: what stands around the messages, and what keys and buttons do.

import * as chat from "./chat.js";
import * as composer from "./composer.js";
import { $, el, fill, kept, put } from "./dom.js";
import * as link from "./link.js";
import * as log from "./log.js";
import { badge, labelOf, nameOf } from "./rows.js";
import { clock, day, oneLine, plural, visible } from "./text.js";

const PEOPLE_SHOWN = 300;
const tight = matchMedia("(max-width: 1060px)");
const over = () => document.querySelector("[popover=auto]:popover-open");
let asked; // the frame of a command that lacks a password
let due;

/** Has all drawn anew soon, once, however often it is called. */
export function changed() {
	due ??= setTimeout(drawAll, 10);
}

/** Asks for what is wanted, "name", "key" or "password": to come in, or to send a frame. */
export function door(wants, frame) {
	inside(false);
	asked = frame;
	$.back.hidden = !frame;
	for (const id of ["key", "password"]) $[id].parentNode.hidden = id !== wants;
	$.password.autocomplete = frame?.t === "register" ? "new-password" : "current-password";
	$.password.value = "";
	$.name.readOnly = frame;
	$.name.value = frame?.name ?? kept.name ?? localStorage.name ?? "";
	$[wants].focus();
}

export function inside(isInside) {
	$.door.hidden = isInside;
	$.app.hidden = !isInside;
	asked = null;
	line("");
}

/** Says how it stands with the connection. */
export function line(text, button) {
	$.line.hidden = !text;
	put({ complaint: text, "line-text": text, "line-do": button });
}

export function online() {
	log.changed();
	if (!$.app.contains(document.activeElement)) $.say.focus();
}

export function went() {
	const place = chat.focus;
	log.show();
	composer.show(place ? `Message ${labelOf(place)}` : "Enter a room");
	over()?.hidePopover();
	if (place && link.ready) line("");
}

export function notify(place, { name, text }) {
	if (window.Notification?.permission !== "granted") return;
	const title = oneLine(name) + (place.room ? ` ${labelOf(place)}` : "");
	try {
		new Notification(title, { body: visible(text), tag: place.key }).onclick = () => {
			window.focus();
			chat.go(place);
		};
	} catch {
		// On phones only service workers can.
	}
}

export async function search(text) {
	$.panel.togglePopover(true);
	$.query.value = text;
	const { messages, more } = (text.trim() && (await chat.request({ t: "search", text }))) || { messages: [] };
	put({ "found-count": text && plural(messages.length, "message") + (more ? " and more" : "") });
	$.found.replaceChildren(...messages.map(hit));
}

const hit = (message) =>
	el("li", el("button.hit", { onclick: () => chat.find(message) },
		nameOf(message.name), el("small", `${labelOf({ room: message.room })} · ${day(message.at)} ${clock(message.at)}`),
		el("span.text", { dir: "auto" }, visible(message.text).slice(0, 300))));

function drawAll() {
	due = null;
	const [place, all] = [chat.focus, chat.all()];
	fill($.rooms, all.filter(({ room }) => room).map(tab));
	fill($.talks, all.filter(({ name }) => name).map(tab));
	const { topic = "", mode, count } = place ?? {};
	const title = place ? labelOf(place) : "Come in";
	put({ title, topic: oneLine(topic), mode, me: oneLine(kept.name ?? ""), standing: chat.role + (kept.away ? ", away" : ""), count });
	log.grown();
	if ($.panel.matches(":popover-open")) fill($.people, chat.people().slice(0, PEOPLE_SHOWN).map(person));
	const unread = all.reduce((sum, place) => sum + place.unread, 0);
	document.title = `${unread ? `(${unread}) ` : ""}${title} — chatctl`;
}

function tab({ room, name, key, unread, called }) {
	const label = labelOf({ room, name });
	const news = unread ? `, ${unread} unread${called ? ", for you" : ""}` : "";
	const isHere = key === chat.focus?.key;
	return el(called ? "li.tab.called" : "li.tab",
		el("button.open", { "data-key": key, onclick: () => pick(key), "aria-label": label + news, "aria-current": isHere && "page" },
			badge(label), el("bdi", oneLine(room ?? name)), unread && el("small.count", unread)),
		el("button.close", { "data-key": `×${key}`, onclick: () => chat.close(chat.places.get(key)), "aria-label": `Leave ${label}` }, "×"));
}

const person = (name) =>
	el("li", el("button.open", { "data-key": name, onclick: () => chat.converse(name) },
		badge(name), nameOf(name), el("small", name === kept.name ? "you" : chat.focus.away?.includes(name) && "away")));

function pick(key) {
	if (chat.places.has(key)) chat.go(chat.places.get(key));
	$.say.focus();
}

function seek() {
	$.panel.togglePopover(true);
	$.query.focus();
}

function newest() {
	log.toEnd();
	$.say.focus();
}

function resized() {
	$.panel.popover = tight.matches ? "auto" : "manual";
	$.panel.togglePopover(!tight.matches);
}

function key(event) {
	const { key, altKey, ctrlKey, metaKey, code, target } = event;
	const keys = chat.all().map(({ key }) => key);
	const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[key];
	if (asked && key === "Escape") stop();
	if ($.app.hidden) return;
	if (altKey && /^Digit[1-9]$/.test(code)) pick(keys[code[5] - 1]);
	else if (altKey && step) pick(keys.at((keys.indexOf(chat.focus?.key) + step) % keys.length));
	else if ((ctrlKey || metaKey) && key === "k") seek();
	else if (key === "Escape" && !over()) composer.close() || newest();
	else if (key.startsWith("Page") && target === $.say) $.log.scrollBy(0, step * $.log.clientHeight * 0.9);
	else return;
	event.preventDefault();
}

/** Takes the key of an invitation out of the address, where others could see it. */
function takeKey() {
	try {
		kept.key = decodeURIComponent(location.hash.slice(1)) || kept.key;
	} catch {
		// Such escapes no key has.
	}
	history.replaceState(null, "", location.pathname + location.search);
}

function come() {
	const password = $.password.value || undefined;
	if (asked) {
		if (password) chat.request({ ...asked, password });
		return stop();
	}
	kept.name = $.name.value.trim();
	kept.key = $.key.value.trim() || kept.key || localStorage[`key of ${kept.name}`];
	link.own.password = password;
	line("");
	link.open();
}

/** Goes back to the chat, which needs no password any more. */
function stop() {
	inside(true);
	$.say.focus();
}

function offerNotes() {
	$.notify.hidden = window.Notification?.permission !== "default";
}

function turned() {
	if (document.hidden) chat.undivide();
	else link.hurry();
	chat.looked();
}

const clicks = {
	newest,
	notify: () => Notification.requestPermission().then(offerNotes),
	leave: link.leave,
	back: stop,
	"line-do": () => (link.timer ? link.hurry() : location.reload()),
};
const forms = {
	"come-in": come,
	compose: composer.submit,
	search: () => search($.query.value),
	enter: () => chat.enter($["room-name"].value),
};
for (const id in clicks) $[id].onclick = clicks[id];
for (const id in forms)
	$[id].onsubmit = (event) => {
		event.preventDefault();
		forms[id]();
		$.enter.reset();
	};
$.query.oninput = () => $.query.value || search("");
$.panel.ontoggle = changed;
document.onkeydown = key;
document.onvisibilitychange = turned;
window.ononline = link.hurry;
window.onhashchange = takeKey;
tight.onchange = resized;
takeKey();
offerNotes();
resized();
chat.start(new URLSearchParams(location.search).get("room"));
if (kept.session) link.open();
else door("name");
