// The page: what stands around the messages, and what keys and buttons do.

import * as chat from "./chat.js";
import * as composer from "./composer.js";
import { $, chosen, el, fill, keep, kept, put } from "./dom.js";
import * as log from "./log.js";
import { badge, labelOf, nameOf } from "./rows.js";
import { clock, day, oneLine, plural, visible } from "./text.js";

const PEOPLE_SHOWN = 300;
const tight = matchMedia("(max-width: 1060px)");
let asked; // a command that lacks a password, and what becomes of it then

/** Returns what does something before the next picture, once, however often it is called. */
function soon(act) {
	let due;
	const run = () => act((due = null));
	return () => (due ??= document.hidden ? setTimeout(run, 200) : requestAnimationFrame(run));
}

export function entered({ server }) {
	door(false);
	put({ server: oneLine(server) });
}

export function online() {
	if (log.place) {
		line("");
		log.changed();
	}
	$.say.focus();
}

export function offline({ text }) {
	if ($.app.hidden) complain("The chat cannot be reached, and is tried again.");
	line(`${oneLine(text)}; what you say is sent when it is back`, "Try now");
}

export function ended({ code, text }) {
	line({ bye: "You left the chat", replaced: "The chat goes on in another window" }[code] ?? oneLine(text), "Come in again");
}

export function line(text, button) {
	$.line.hidden = !text;
	put({ "line-text": text, "line-do": button });
}

export function refused({ text, wants = "name" }) {
	asked = null;
	door(true);
	$[wants].parentNode.hidden = false;
	complain(text);
	$[wants].select();
}

export function ask(frame, send) {
	asked = { frame, send };
	door(true);
	$.password.autocomplete = frame.t === "register" ? "new-password" : "current-password";
	$.password.focus();
}

/** Goes back to the chat, which needs no password any more. */
function stop() {
	door(false);
	$.say.focus();
}

function door(open) {
	if (!open) asked = null;
	$.door.hidden = !open;
	$.app.hidden = open;
	$.back.hidden = !asked;
	$.name.readOnly = asked;
	$.name.value = asked?.frame.name ?? kept.name ?? chosen.name ?? "";
	$.password.value = "";
	$.password.parentNode.hidden = !asked;
	put({ welcome: asked ? "Password" : "Come in", come: asked ? "Go on" : "Come in" });
	complain("");
}

function complain(text) {
	put({ complaint: oneLine(text) });
	$.come.disabled = false;
}

export function went(place) {
	if (place) log.show(place);
	composer.show(place, place ? `Message ${labelOf(place)}` : "Enter a room");
	$.side.hidePopover();
	if (tight.matches) panel("");
	changed();
}

export const changed = soon(drawAll);
const grow = soon(log.grown);

export function grown(place, mine) {
	if (place !== log.place) return;
	if (mine) log.toEnd();
	else grow();
}

export function notify(place, { name, text }) {
	if (!chosen.notify || Notification.permission !== "granted") return;
	const title = oneLine(name) + (place.room ? ` ${labelOf(place)}` : "");
	new Notification(title, { body: visible(text).slice(0, 200), tag: place.key }).onclick = () => {
		window.focus();
		chat.go(place);
	};
}

export async function search(text) {
	panel("search");
	$.query.value = text;
	const room = $.everywhere.checked ? undefined : chat.focus?.room;
	const found = text.trim() && (await chat.request({ t: "search", text, room }));
	if (!found) return;
	put({ "found-count": plural(found.messages.length, "message") + (found.more ? " and more" : "") });
	$.found.replaceChildren(...found.messages.map(hit));
}

const hit = (message) =>
	el("li", el("button.hit", { onclick: () => chat.find(message) },
		nameOf(message.name), el("small", `${labelOf({ room: message.room })} · ${day(message.at)} ${clock(message.at)}`),
		el("span.text", { dir: "auto" }, visible(message.text).slice(0, 300))));

function drawAll() {
	const [place, rooms, all] = [chat.focus, chat.rooms(), chat.all()];
	const tabs = all.map(tab);
	fill($.rooms, tabs.slice(0, rooms.length));
	fill($.talks, tabs.slice(rooms.length));
	const { topic = "", mode, count, room, items = [], more, pending = [] } = place ?? {};
	const title = place ? labelOf(place) : "Come in";
	const empty = !more && !items.length && !pending.length && "Nothing was said here yet.";
	put({ title, topic: oneLine(topic), mode, me: oneLine(kept.name ?? ""), standing: chat.standing(), count, empty });
	$["show-people"].hidden = !room;
	drawPeople(place);
	const mark = all.some(({ called }) => called) ? "(!) " : all.some(({ unread }) => unread) ? "• " : "";
	document.title = `${mark}${title} — chatctl`;
}

function tab(place, at) {
	const { room, key, unread, called } = place;
	const label = labelOf(place);
	const news = unread ? `, ${unread} unread${called ? ", for you" : ""}` : "";
	const isHere = place === chat.focus;
	const kinds = ["tab", unread && "unread", called && "called", !isHere && kept.drafts?.[key] && "draft"];
	return el(`li.${kinds.filter(Boolean).join(".")}`,
		el("button.open", { "data-key": key, onclick: () => pick(place), "aria-label": label + news, "aria-current": isHere && "page", title: at < 9 && `Alt+${at + 1}` },
			room ? el("span.hash", "#") : badge(label), el("bdi", oneLine(room ?? label)), unread && el("small.count", unread)),
		el("button.close", { "data-key": `×${key}`, onclick: () => chat.close(place), "aria-label": `${room ? "Leave" : "Close"} ${label}` }, "×"));
}

function drawPeople(place) {
	if ($["people-part"].hidden) return;
	const names = place?.room ? chat.people(place).slice(0, PEOPLE_SHOWN) : [];
	const more = names.length && place.count - names.length;
	fill($.people, names.map((name) =>
		el("li", el("button.open", { "data-key": name, onclick: () => chat.converse(name) },
			badge(name), nameOf(name), el("small", name === kept.name ? "you" : place.away?.includes(name) && "away")))));
	put({ "people-more": more > 0 && `and ${more} more` });
}

const pick = (place) => $.say.focus(chat.go(place));

export function panel(what) {
	for (const one of ["people", "search"]) {
		$[`${one}-part`].hidden = what !== one;
		$[`show-${one}`].ariaExpanded = what === one;
	}
	$.panel.togglePopover(Boolean(what));
	if (what === "search") $.query.focus();
	changed();
}

function back() {
	const opener = $["search-part"].hidden ? "people" : "search";
	panel("");
	$[`show-${opener}`].focus();
	return true;
}

const toggle = (what) => () => panel($[`${what}-part`].hidden && what);
const newest = () => $.say.focus(log.toEnd());
const showNotify = () => put({ notify: `Notifications: ${chosen.notify ? "on" : "off"}` });

async function allow() {
	chosen.notify = !chosen.notify && (await Notification.requestPermission()) === "granted";
	keep();
	showNotify();
}

function resized() {
	$.panel.popover = tight.matches ? "auto" : "manual";
	panel(!tight.matches && "people");
}

function key(event) {
	const { key, altKey, ctrlKey, metaKey, code, target } = event;
	const all = chat.all();
	const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[key];
	if ($.app.hidden) return asked && key === "Escape" && stop();
	if (altKey && /^Digit[1-9]$/.test(code)) pick(all[code[5] - 1]);
	else if (altKey && step) pick(all.at((all.indexOf(chat.focus) + step) % all.length));
	else if ((ctrlKey || metaKey) && key === "k") panel("search");
	else if (key === "Escape" && !document.querySelector("[popover=auto]:popover-open")) composer.close() || ($.panel.contains(target) && back()) || newest();
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
		const { frame, send } = asked;
		if (password) send({ ...frame, password });
		return stop();
	}
	kept.name = $.name.value.trim();
	kept.key = $.key.value.trim() || kept.key || chosen.keys?.[kept.name];
	chat.link.own.password = password;
	complain("");
	$.come.disabled = true;
	if (chat.link.rooms.size) chat.link.open();
	else begin();
}

const begin = () => chat.start(new URLSearchParams(location.search).get("room")?.toLowerCase());

const clicks = {
	"show-people": toggle("people"),
	"show-search": toggle("search"),
	"close-panel": back,
	newest,
	notify: allow,
	leave: () => chat.link.leave(),
	back: stop,
	"line-do": () => (chat.link.timer ? chat.link.hurry() : location.reload()),
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
$.panel.ontoggle = ({ newState }) => newState === "closed" && panel("");
document.addEventListener("keydown", key);
document.addEventListener("visibilitychange", () => chat.looked(chat.link.hurry()));
addEventListener("online", () => chat.link.hurry());
addEventListener("hashchange", takeKey);
tight.addEventListener("change", resized);
composer.compose(chat.completions, chat.perform);
takeKey();
showNotify();
$.notify.hidden = !isSecureContext || !window.Notification;
resized();
if (kept.session) begin();
else {
	door(true);
	$.name.focus();
}
