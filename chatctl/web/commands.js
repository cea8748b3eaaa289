// Slash commands, by the table and the rules of chatctl/commands.py.

import { oneLine } from "./text.js";

let table = [];

/** Takes those of the commands that are known here. */
export async function load(known) {
	table = (await (await fetch("/commands.json")).json()).filter(({ name }) => known.includes(name));
}

export const help = () => [...table.map((row) => [row.usage, row.help]), ["//TEXT", "say TEXT with one slash in front"]];
const named = (word) => table.find(({ name }) => name === word.toLowerCase());

/** Returns a command and its arguments. Throws what is to be told. */
export function parse(text) {
	if (text.trim() === "exit") return ["quit"];
	if (!text.startsWith("/")) return ["say", text];
	if (text.startsWith("//")) return ["say", text.slice(1)];
	const [word, rest] = split(text.slice(1));
	const command = named(word);
	if (!command) throw new Error(`there is no /${oneLine(word.slice(0, 32))}; /help lists the commands`);
	return [command.name, ...values(command, rest)];
}

function split(text) {
	const [word] = /^\S*/.exec(text);
	return [word, text.slice(word.length).trim()];
}

function* values({ name, usage, arguments: wanted }, rest) {
	for (const { rest: all, label, optional, choices } of wanted) {
		let value = rest;
		[value, rest] = all ? [rest, ""] : split(rest);
		if (value && choices && !choices.includes(value)) throw new Error(`/${name}: one of ${choices.join(", ")}`);
		if (!value && !optional) throw new Error(`${usage}: needs a ${label.toLowerCase()}`);
		yield value;
	}
	if (rest && wanted.length) throw new Error(`${usage}: a ${wanted.at(-1).label.toLowerCase()} has no spaces`);
}

/** Returns where the last word of a text begins, and what it may become: [what, usage, help]. */
export function complete(text, names, rooms) {
	const start = text.search(/\S*$/);
	const word = text.slice(start);
	const before = text.slice(0, start).match(/\S+/g) ?? [];
	if (/^\/(?!\/)/.test(text)) return [start, ofCommand(word, before, names, rooms)];
	if (word.startsWith("@")) names = names.map((name) => `@${name}`);
	return [start, word ? matching(word, names, before.length || word[0] === "@" ? " " : ": ") : []];
}

function ofCommand(word, before, names, rooms) {
	if (!before.length)
		return table.filter(({ name }) => `/${name}`.startsWith(word.toLowerCase())).map((row) => [`/${row.name} `, row.usage, row.help]);
	const { arguments: wanted = [] } = named(before[0].slice(1)) ?? {};
	const argument = wanted[before.length - 1] ?? wanted.at(-1);
	if (!argument || (before.length > wanted.length && !argument.rest)) return [];
	if (argument.choices) return matching(word, argument.choices, "");
	if (argument.completes === "rooms") return matching(word, rooms.map((room) => (word[0] === "#" ? `#${room}` : room)), "");
	return argument.completes || (argument.rest && word) ? matching(word, names, " ") : [];
}

const matching = (word, all, end) =>
	all.filter((one) => one.toLowerCase().startsWith(word.toLowerCase())).sort().map((one) => [one + end]);
