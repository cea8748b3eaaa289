// Slash commands, by the table and the rules of chatctl/commands.py.

import { table } from "./tables.js";
import { oneLine } from "./text.js";

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const LONGEST = 3660 * UNITS.d;
const offered = (role) => table.filter(({ roles }) => roles.includes(role));
const named = (word) => table.find(({ name }) => name === word.toLowerCase());

export const help = (role) => [...offered(role), { usage: "//TEXT", help: "say TEXT with one slash in front" }];

export function parse(text) {
	if (text.trim() === "exit") return { name: "quit", values: [] };
	if (!/^\/(?!\/)/.test(text)) return { name: "say", values: [text.replace(/^\/\//, "/")] };
	const [, word, rest] = /^.(\S*)\s*([^]*)$/.exec(text.trimEnd());
	const command = named(word);
	if (!command) throw new Error(`there is no /${oneLine(word.slice(0, 32))}; /help lists the commands`);
	const { name, usage, pattern, choices } = command;
	const { groups = {} } = new RegExp(pattern).exec(rest) ?? wrong(usage);
	const frame = { ...command.frame, ...choices?.[groups.choice] };
	for (const key in groups) if (groups[key] && key !== "choice") frame[key] = groups[key];
	if (frame.seconds) frame.seconds = parseInt(frame.seconds) * UNITS[frame.seconds.at(-1)];
	if (frame.seconds === 0 || frame.seconds > LONGEST) wrong(usage);
	return { name, values: Object.values(groups), frame };
}

function wrong(usage) {
	const times = usage.includes("TIME") ? ", TIME like 30m, 12h or 90d" : "";
	throw new Error(`that is typed as ${usage}${times}`);
}

export function complete(text, names, rooms, role) {
	const start = text.search(/\S*$/);
	const word = text.slice(start);
	const before = text.slice(0, start).match(/\S+/g) ?? [];
	if (/^\/(?!\/)/.test(text)) return [start, ofCommand(word, before, names, rooms, role)];
	if (word.startsWith("@")) names = names.map((name) => `@${name}`);
	return [start, word ? matching(word, names, before.length || word[0] === "@" ? " " : ": ") : []];
}

function ofCommand(word, before, names, rooms, role) {
	if (!before.length)
		return offered(role).filter(({ name }) => `/${name}`.startsWith(word.toLowerCase())).map(({ name, usage, help }) => [`/${name} `, usage, help]);
	const { completes = [], choices } = named(before[0].slice(1)) ?? {};
	const what = completes[before.length - 1] ?? completes.at(-1);
	if (what === "choices") return matching(word, Object.keys(choices), "");
	if (what === "rooms") return matching(word, rooms.map((room) => (word[0] === "#" ? `#${room}` : room)), "");
	return what === "names" || (what === "text" && word) ? matching(word, names, " ") : [];
}

const matching = (word, all, end) =>
	all.filter((one) => one.toLowerCase().startsWith(word.toLowerCase())).sort().map((one) => [one + end]);
