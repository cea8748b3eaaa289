// The page: what stands around the messages, and what keys and buttons do.

import * as chat from "./chat.js";
import { load } from "./commands.js";
import * as composer from "./composer.js";
import { $, chosen, el, fill, keep, kept, setText } from "./dom.js";
import { Log } from "./log.js";
import { badge, draw, labelOf, nameOf } from "./rows.js";
import { clock, day, oneLine, plural, visible } from "./text.js";

const THEMES = ["auto", "light", "dark"];
const PEOPLE_SHOWN = 300;
const narrow = matchMedia("(max-width: 720px)");
const tight = matchMedia("(max-width: 1060px)");
const app = $("app");
export const log = new Log({ box: $("log"), list: $("messages"), waiting: $("waiting"), draw, older: (place) => chat.older(place), moved });

/** Returns a function that does something before the next picture, once, however often it is called. */
function soon(act) {
	let asked = false;
	return () => {
		if (asked) return;
		asked = true;
		const run = () => act((asked = false));
		if (document.hidden) setTimeout(run, 200); // no pictures are made then
		else requestAnimationFrame(run);
	};
}

// What the chat says

export function entered({ server }) {
	$("door").hidden = true;
	app.hidden = false;
	setText($("server"), oneLine(server));
}

export function online() {
	line(log.place ? "" : $("line-text").textContent);
	if (log.place) log.changed();
	$("say").focus();
}

export function offline({ text }) {
	if (app.hidden) complain("The chat cannot be reached, and is tried again.");
	line(`${oneLine(text)}; what you say is sent when it is back`, "Try now");
}

export function ended({ code, text }) {
	line({ bye: "You left the chat", replaced: "The chat goes on in another window" }[code] ?? oneLine(text), "Come in again");
}

export function line(text, button = "") {
	$("line").hidden = !text;
	setText($("line-text"), text);
	setText($("line-do"), button);
}

export function refused({ text, wants }) {
	$("door").hidden = false;
	app.hidden = true;
	for (const what of ["key", "password"]) if (wants === what) $(`${what}-part`).hidden = false;
	complain(text);
	$(wants ?? "name").select();
}

function complain(text) {
	setText($("complaint"), oneLine(text));
	$("come").disabled = false;
}

export function went(place) {
	if (place) log.show(place);
	composer.show(place, place ? `Message ${labelOf(place)}` : "Enter a room");
	drawer("");
	changed();
}

export const changed = soon(drawAll);
const grow = soon(() => log.place && log.grown());

export function grown(place, mine) {
	if (place !== log.place) return;
	log.stuck ||= Boolean(mine);
	grow();
}

export const refresh = () => grow(log.rows.clear());

export function reveal(item) {
	const row = log.reveal(item);
	(row.querySelector(".msg") ?? row).classList.add("shown");
}

export const looksAt = (place) => place === chat.focus && !document.hidden;

export function notify(place, { name, text }) {
	if (!chosen.notify || Notification.permission !== "granted") return;
	const shown = new Notification([name, place.room].filter(Boolean).map(oneLine).join(" #"), { body: visible(text).slice(0, 200), tag: place.key });
	shown.onclick = () => {
		window.focus();
		chat.go(place);
	};
}

function theme(step) {
	chosen.theme = THEMES[(THEMES.indexOf(chosen.theme ?? "auto") + step) % 3];
	document.documentElement.dataset.theme = chosen.theme;
	setText($("theme"), `Theme: ${chosen.theme}`);
	keep();
}

export async function search(text) {
	panel("search");
	$("query").value = text;
	const room = $("everywhere").checked ? undefined : chat.focus?.room;
	const found = text.trim() && (await chat.request({ t: "search", text, room }));
	if (!found) return;
	setText($("found-count"), plural(found.messages.length, "message") + (found.more ? " and more" : ""));
	$("found").replaceChildren(...found.messages.map(hit));
}

function hit(message) {
	const where = `${labelOf({ room: message.room })} · ${day(message.at)} ${clock(message.at)}`;
	return el("li", null, button("hit", "", () => chat.find(message, tight.matches && panel("")), null,
		nameOf(message.name), el("small", null, where), el("span", { class: "text", dir: "auto" }, visible(message.text).slice(0, 300))));
}

// What stands around the messages

function drawAll() {
	const place = chat.focus;
	let number = 0;
	for (const [list, all] of [[$("rooms"), chat.rooms()], [$("talks"), chat.talks()]])
		fill(list, all.map((one) => tab(one, ++number)));
	const { topic, mode, count, room, items, more, pending } = place ?? {};
	const title = place ? labelOf(place) : "Come in";
	const empty = !more && !items?.length && !pending?.length;
	const texts = { title, topic: oneLine(topic ?? ""), mode, me: oneLine(kept.name ?? ""), standing: chat.standing(), count, empty: empty && "Nothing was said here yet." };
	for (const id in texts) setText($(id), texts[id] || "");
	$("show-people").hidden = !room;
	if (app.dataset.panel === "people") drawPeople(place);
	const all = chat.all();
	const mark = all.some(({ called }) => called) ? "(!) " : all.some(({ unread }) => unread) ? "• " : "";
	document.title = `${mark}${title} — chatctl`;
}

const button = (kind, key, onclick, more, ...children) => el("button", { class: kind, "data-key": key, onclick, ...more }, ...children);

function tab(place, number) {
	const { room, key, unread, called } = place;
	const label = labelOf(place);
	const news = unread ? `, ${unread} unread${called ? ", for you" : ""}` : "";
	const open = { "aria-label": label + news, "aria-current": place === chat.focus && "page", title: number < 10 && `Alt+${number}` };
	const kinds = ["tab", unread && "unread", called && "called", place !== chat.focus && kept.drafts?.[key] && "draft"];
	return el("li", { class: kinds.filter(Boolean).join(" ") },
		button("open", key, () => pick(place), open,
			room ? el("span", { class: "hash" }, "#") : badge(label), el("bdi", null, oneLine(room ?? label)), unread && el("small", { class: "count" }, unread)),
		button("close", `×${key}`, () => chat.close(place), { "aria-label": `${room ? "Leave" : "Close"} ${label}` }, "×"));
}

function drawPeople(place) {
	const names = place?.room ? chat.people(place).slice(0, PEOPLE_SHOWN) : [];
	const more = (place?.count ?? 0) - names.length;
	fill($("people"), names.map((name) =>
		el("li", null, button("open", name, () => chat.converse(name), null,
			badge(name), nameOf(name), el("small", null, name === kept.name ? "you" : place.away?.includes(name) && "away")))));
	setText($("people-more"), names.length && more > 0 ? `and ${more} more` : "");
}

function pick(place) {
	if (!place) return;
	chat.go(place);
	$("say").focus();
}

function moved() {
	$("newest").hidden = log.stuck;
	setText($("newest"), log.missed > 0 ? `${plural(log.missed, "new message")} ↓` : "Newest ↓");
}

/** Opens or closes what is beside the messages: "people", "search" or "". */
function panel(what) {
	app.dataset.panel = what;
	for (const one of ["people", "search"]) {
		$(`${one}-part`).hidden = what !== one;
		$(`show-${one}`).setAttribute("aria-expanded", what === one);
	}
	$("panel").hidden = !what;
	if (what === "search") $("query").focus();
	veil();
	changed();
}

/** Opens the side list where it is no part of the page, or closes it. */
function drawer(what) {
	app.dataset.drawer = what;
	$("show-side").setAttribute("aria-expanded", Boolean(what));
	$("side").inert = narrow.matches && !what;
	veil();
	if (what) $("side").querySelector(".open")?.focus();
}

function veil() {
	const covered = (narrow.matches && app.dataset.drawer) || (tight.matches && app.dataset.panel);
	$("veil").hidden = !covered;
	$("room").inert = Boolean(covered);
}

/** Closes what is open; returns whether anything was. */
function back() {
	const opener = app.dataset.drawer || (!$("panel").hidden && (tight.matches || $("panel").contains(document.activeElement)) && app.dataset.panel);
	if (!opener) return false;
	if (app.dataset.drawer) drawer("");
	else panel("");
	$(`show-${opener}`).focus();
	return true;
}

const toggle = (what) => panel(app.dataset.panel === what ? "" : what);

function newest() {
	log.toEnd();
	$("say").focus();
}

function showNotify() {
	$("notify").hidden = !isSecureContext || !window.Notification;
	setText($("notify"), `Notifications: ${chosen.notify ? "on" : "off"}`);
}

async function allow() {
	chosen.notify = !chosen.notify && (await Notification.requestPermission()) === "granted";
	keep();
	showNotify();
}

function resized() {
	panel(tight.matches ? "" : "people");
	drawer("");
}

function key(event) {
	const { key, altKey, ctrlKey, metaKey, code, target } = event;
	const all = chat.all();
	const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -1, PageDown: 1 }[key];
	if (altKey && /^Digit[1-9]$/.test(code)) pick(all[code[5] - 1]);
	else if (altKey && step) pick(all.at((all.indexOf(chat.focus) + step) % all.length));
	else if ((ctrlKey || metaKey) && key === "k") panel("search");
	else if (key === "Escape") composer.close() || back() || newest();
	else if (key.startsWith("Page") && target === $("say")) $("log").scrollBy(0, step * $("log").clientHeight * 0.9);
	else return;
	event.preventDefault();
}

// Coming in

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
	kept.name = $("name").value.trim();
	kept.key = $("key").value.trim() || kept.key || chosen.keys?.[kept.name];
	chat.link.password = $("password").value || undefined;
	complain("");
	$("come").disabled = true;
	if (chat.link.rooms.size) chat.link.open();
	else begin();
}

const begin = () => chat.start(new URLSearchParams(location.search).get("room")?.toLowerCase());

function listen() {
	const clicks = {
		"show-side": () => drawer(app.dataset.drawer ? "" : "side"),
		"show-people": () => toggle("people"),
		"show-search": () => toggle("search"),
		"close-panel": back, veil: back, newest, notify: allow,
		theme: () => theme(1),
		leave: () => chat.link.leave(),
		"line-do": () => (chat.link.timer ? chat.link.hurry() : location.reload()),
	};
	for (const id in clicks) $(id).addEventListener("click", clicks[id]);
	const forms = { "come-in": come, compose: composer.submit, search: () => search($("query").value), enter: () => chat.enter($("room-name").value) };
	for (const id in forms)
		$(id).addEventListener("submit", (event) => {
			event.preventDefault();
			forms[id]();
			if (id === "enter") event.target.reset();
		});
	document.addEventListener("keydown", (event) => app.hidden || key(event));
	document.addEventListener("visibilitychange", () => chat.looked() ?? chat.link.hurry());
	addEventListener("online", () => chat.link.hurry());
	addEventListener("hashchange", takeKey);
	for (const width of [narrow, tight]) width.addEventListener("change", resized);
	const others = () => (chat.focus?.room ? chat.people(chat.focus).filter((name) => name !== kept.name) : [chat.focus?.name ?? ""]);
	composer.compose(() => [others(), chat.listedRooms()], chat.perform);
}

takeKey();
theme(0);
showNotify();
resized();
listen();
await load(chat.known);
$("name").value = kept.name ?? chosen.name ?? "";
if (kept.session) begin();
else {
	$("door").hidden = false;
	$("name").focus();
}
