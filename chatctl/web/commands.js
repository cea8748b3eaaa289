// Slash commands, by the table and the rules of chatctl/commands.py.

import { longest, table, units } from "./tables.js";
import { oneLine } from "./text.js";

const named = (word) => table.find(({ name }) => name === word.toLowerCase());

export const offered = (role) => table.filter(({ roles }) => roles.includes(role));

export function parse(text) {
	if (text.trim() === "exit") return { name: "quit", values: [] };
	if (!/^\/(?!\/)/.test(text)) return { name: "say", values: [text.replace(/^\/\//, "/")] };
	const [, word, rest] = /^.(\S*)\s*([^]*)$/.exec(text.trimEnd());
	const command = named(word);
	if (!command) throw new Error(`there is no /${oneLine(word.slice(0, 32))}; /help lists the commands`);
	const { name, pattern, choices } = command;
	const { groups = {} } = new RegExp(pattern).exec(rest) ?? wrong(command);
	const frame = { ...command.frame, ...choices?.[groups.choice] };
	for (const key in groups) if (groups[key] && key !== "choice") frame[key] = groups[key];
	if (frame.seconds) frame.seconds = parseInt(frame.seconds) * units[frame.seconds.at(-1)];
	if (frame.seconds > longest) wrong(command);
	return { name, values: Object.values(groups), frame };
}

function wrong({ usage, help }) {
	throw new Error(`that is typed as ${usage}: ${help}`);
}

export function complete(text, names, rooms, role) {
	const start = text.search(/\S*$/);
	const word = text.slice(start);
	const before = text.slice(0, start).match(/\S+/g) ?? [];
	if (/^\/(?!\/)/.test(text)) return [start, ofCommand(word, before, names, rooms, role)];
	if (word[0] === "@") names = names.map((name) => `@${name}`);
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
	[...new Set(all)].filter((one) => one.toLowerCase().startsWith(word.toLowerCase())).sort().map((one) => [one + end]);
