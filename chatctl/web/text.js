// What may be shown of what others wrote, as chatctl/text.py and names.py have it; times.

import { unshown } from "./tables.js";

const UNSHOWN = new RegExp(unshown, "gu");

/** Returns text with all that could change how it is read as escapes. */
export const visible = (text) =>
	text.replace(UNSHOWN, (one) => {
		const code = one.codePointAt(0).toString(16);
		const [mark, width] = code.length < 3 ? ["x", 2] : code.length < 5 ? ["u", 4] : ["U", 8];
		return `\\${mark}${code.padStart(width, "0")}`;
	});
export const oneLine = (text) => visible(text).replace(/\n/g, "\\n").replace(/\t/g, "\\t");

/** Returns what two spellings of a name have in common. */
export const fold = (name) => [...name.normalize("NFKC")].map(foldLetter).join("").normalize("NFKC");

function foldLetter(letter) {
	if (letter === "\u0131") return letter;
	if (/[\u13a0-\u13fd\uab70-\uabbf]/.test(letter)) return letter.toUpperCase(); // Cherokee
	// One by one: a sigma that ends a word is none that is folded.
	return [...letter.toLowerCase().toUpperCase()].map((one) => one.toLowerCase()).join("");
}

export const bytes = (text) => new TextEncoder().encode(text);

/** Returns the class of a name's colour, which is that in a terminal: it comes from a CRC-32. */
export function colour(name) {
	let sum = ~0;
	for (const byte of bytes(fold(name))) {
		sum ^= byte;
		for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 && 0xedb88320);
	}
	return `n${~sum & 15}`;
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

const format = (options) => {
	let made; // when it is needed: it takes long
	return (at) => {
		made ??= new Intl.DateTimeFormat("en", { ...options, hourCycle: "h23" });
		return Math.abs(at) <= 8.64e15 ? made.format(at) : "--:--"; // later no calendar goes
	};
};
export const clock = format({ hour: "2-digit", minute: "2-digit" });
export const moment = format({ dateStyle: "full", timeStyle: "medium" });
const date = format({ dateStyle: "full" });

export function day(at) {
	const now = Date.now();
	return { [date(now - 864e5)]: "Yesterday", [date(now)]: "Today" }[date(at)] ?? date(at);
}
