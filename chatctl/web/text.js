// What may be shown of what others wrote, as chatctl/text.py and names.py have it; times.

const UNSHOWN =
	/[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

/** Returns text with all that could change how it is read as escapes. */
export const visible = (text) => text.replace(UNSHOWN, escaped);
export const oneLine = (text) => visible(text).replace(/\n/g, "\\n").replace(/\t/g, "\\t");

function escaped(character) {
	const code = character.codePointAt(0);
	const [mark, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
	return `\\${mark}${code.toString(16).padStart(width, "0")}`;
}

/** Returns what two spellings of a name have in common. */
export const fold = (name) => [...name.normalize("NFKC")].map(foldLetter).join("").normalize("NFKC");

function foldLetter(letter) {
	if (letter === "\u0131") return letter;
	if (/[\u13a0-\u13fd\uab70-\uabbf]/.test(letter)) return letter.toUpperCase(); // Cherokee
	// One by one: a sigma that ends a word is none that is folded.
	return [...letter.toLowerCase().toUpperCase()].map((one) => one.toLowerCase()).join("");
}

function crc32(bytes) {
	let sum = ~0;
	for (const byte of bytes) {
		sum ^= byte;
		for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum >>> 0;
}

/** Returns the class of a name's colour: that which it has in a terminal. */
export const colour = (name) => `n${crc32(new TextEncoder().encode(fold(name))) % 16}`;

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

const format = (options) => {
	const made = new Intl.DateTimeFormat("en", { ...options, hourCycle: "h23" });
	return (at) => (Math.abs(at) <= 8.64e15 ? made.format(at) : "--:--"); // later no calendar goes
};
export const clock = format({ hour: "2-digit", minute: "2-digit" });
export const moment = format({ dateStyle: "full", timeStyle: "medium" });
const date = format({ dateStyle: "full" });

/** Returns a local day: "Today", "Yesterday", or its date. */
export function day(at) {
	const [shown, now] = [date(at), Date.now()];
	return shown === date(now) ? "Today" : shown === date(now - 864e5) ? "Yesterday" : shown;
}
