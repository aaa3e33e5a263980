// SPDX-License-Identifier: BSD-2-Clause
// The sentence that answers "is everything all right?", the tiles, and the list of what is not, each with since when and what to do.

import {$, attribute, count, el, keyed, mark, plural, short, span, text} from "./dom.js";
import {openPage} from "./pages.js";

const SHOWN = 40;
const PART = {nodes: "nodes-title", networks: "networks-title", drift: "drift-title", zones: "zones-title", here: "here-title", pools: "pools-title"};
// Since when a problem is there, where the API does not say: since this page saw it begin. What was there when the page was opened began before.
const began = new Map();
let first = true;

function since(p, now) {
	if (p.sinceMs !== null && p.sinceMs !== undefined)
		return `for ${span(p.sinceMs)}`;
	const b = began.get(p.key);
	return b ? (b.before ? `for more than ${span(now - b.at)}` : `for ${span(now - b.at)}`) : "";
}

function drawProblems(problems, now) {
	const keys = new Set(problems.map((p) => p.key));
	for (const key of began.keys())
		if (!keys.has(key))
			began.delete(key);
	for (const p of problems)
		if (!began.has(p.key))
			began.set(p.key, {at: now, before: first});
	first = false;
	keyed($("problems"), problems.slice(0, SHOWN), (p) => `${p.key} ${p.level} ${p.page}`, (p) => el("li", {},
		mark(p.level), el("span", {class: "what"}), el("span", {class: "meta"}, el("span"), el("a", {href: `#${PART[p.where]}`}, "Show"),
			p.page ? el("button", {type: "button", onclick: () => openPage(p.page)}, `What to do: ${p.page}`) : null)),
	(node, p) => {
		text(node.children[1], p.text);
		text(node.lastChild.firstChild, since(p, now));
	});
	$("problems-none").hidden = problems.length > 0;
	text($("problems-more"), problems.length > SHOWN ? `and ${problems.length - SHOWN} more` : "");
}

export function update(m, now) {
	const h = m.headline, s = m.summary;
	if ($("headline").dataset.state !== h.state || !$("headline-sign").firstChild) {
		attribute($("headline"), "data-state", h.state);
		$("headline-sign").replaceChildren(mark(h.state, true));
	}
	text($("headline-text"), h.text);
	document.title = `${{good: "✓", warn: "▲", bad: "◆"}[h.state] || "○"} ${s.total ? $("fleet-name").textContent + " – " : ""}zonecast`;
	text($("tile-nodes"), `${s.answering} of ${s.total}`);
	text($("tile-v4"), `${s.v4} of ${s.networks}`);
	text($("tile-v6"), `${s.v6} of ${s.networks}`);
	text($("tile-qps"), short(s.qps));
	text($("tile-zones"), count(s.zones));
	text($("tile-drift"), count(m.driftTotal));
	text($("problems-title"), m.problems.length ? `What is not all right: ${plural(m.problems.length, "thing")}` : "What is not all right");
	drawProblems(m.problems, now);
}
