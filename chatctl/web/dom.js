// Making what the page shows: text gets in as text, never as HTML. What outlives a reload.

export const $ = (id) => document.getElementById(id);

/** Returns an element; `on…` are listeners, and what is false is left out. */
export function el(tag, attributes, ...children) {
	const made = document.createElement(tag);
	for (const [key, value] of Object.entries(attributes ?? {}))
		if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
		else if (value) made.setAttribute(key, value === true ? "" : value);
	made.append(...children.filter(Boolean));
	return made;
}

/** Fills a list anew; who is on one of its buttons stays there. */
export function fill(list, rows) {
	const at = list.contains(document.activeElement) && document.activeElement.dataset.key;
	rows.forEach((row, place) => {
		const old = list.children[place];
		// What looks the same stays, so that no click is lost between its down and its up.
		if (!old?.isEqualNode(row)) old ? old.replaceWith(row) : list.append(row);
	});
	while (list.children[rows.length]) list.lastChild.remove();
	if (at) [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === at)?.focus();
}

export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text; // the same again would be read out again
}

const read = (storage) => JSON.parse(storage.getItem("chatctl") ?? "{}");
/** Of this tab: name, key, session, rooms, unacked, drafts, unread, talks, focus, ignored, away. */
export const kept = read(sessionStorage);
/** Of this browser: name, keys, theme, notify. */
export const chosen = read(localStorage);
let timer = 0;

/** Writes both down, at once or soon. */
export function keep(now) {
	clearTimeout(timer);
	if (!now) return (timer = setTimeout(keep, 300, true));
	try {
		sessionStorage.setItem("chatctl", JSON.stringify(kept));
		localStorage.setItem("chatctl", JSON.stringify(chosen));
	} catch {
		// They are full: that costs coming back, and nothing else.
	}
}
addEventListener("pagehide", () => keep(true));
