// Making what the page shows: text gets in as text, never as HTML. And what outlives a reload.

export const $ = new Proxy({}, { get: (_, id) => document.getElementById(id) });

/** Returns an element: `el("li.tab", { onclick }, "text")`. What is false is left out. */
export function el(what, ...parts) {
	const [tag, ...kinds] = what.split(".");
	const made = document.createElement(tag);
	made.className = kinds.join(" ");
	for (const part of parts.flat(Infinity))
		if (part?.constructor === Object) Object.entries(part).forEach((one) => attribute(made, ...one));
		else if (part) made.append(part);
	return made;
}

function attribute(made, key, value) {
	if (key.startsWith("on")) made[key] = value;
	else if (value) made.setAttribute(key, value);
}

/** Fills a list anew. What looks the same stays, so that no click is lost; who is on a button stays there. */
export function fill(list, rows) {
	const at = list.contains(document.activeElement) && document.activeElement.dataset.key;
	rows.forEach((row, place) => {
		const old = list.children[place];
		if (!old?.isEqualNode(row)) old ? old.replaceWith(row) : list.append(row);
	});
	while (list.children[rows.length]) list.lastChild.remove();
	if (at) list.querySelector(`[data-key="${CSS.escape(at)}"]`)?.focus();
}

export function put(texts) {
	for (const id in texts) {
		const text = String(texts[id] || "");
		if ($[id].textContent !== text) $[id].textContent = text;
	}
}

/** Of this tab: name, key, session, rooms, unacked, places, drafts, focus, ignored, away, motd. */
export const kept = JSON.parse(sessionStorage.chatctl ?? "{}");
let timer;

export function keep(now) {
	clearTimeout(timer);
	if (!now) return (timer = setTimeout(keep, 300, true));
	try {
		sessionStorage.chatctl = JSON.stringify(kept);
		if (kept.name) localStorage.name = kept.name;
	} catch {
		// They are full: that costs coming back, and nothing else.
	}
}
addEventListener("pagehide", () => keep(true));
