// SPDX-License-Identifier: BSD-2-Clause
// The list of events of this node, the newest first: what happened, from which state to which, why.

import {$, el, keyed, mark, moment, plural, text} from "./dom.js";
import {table} from "./table.js";

const KEPT = 2000, SHOWN = 200, NEWEST = 8;
const STATE = {info: "unknown", warn: "warn", alert: "bad"};
const LEVEL = {info: 0, warn: 1, alert: 2};
let events = [], seen = new Set();

// Rings have numbers of their own: role and number together name an event.
const id = (e) => `${e.role || e.ring || ""} ${e.number} ${e.time_ms}`;

const rows = table("Events of this node, the newest first", [
	{key: "time", title: "Time", show: (cell, e) => moment(e.time_ms)},
	{key: "level", title: "Level", cell: () => el("div", {class: "tight"}), show(cell, e) {
		if (!cell.firstChild)
			cell.append(mark(STATE[e.level] || "unknown", true), ` ${e.level}`);
	}},
	{key: "kind", title: "Kind", show: (cell, e) => e.kind},
	{key: "what", title: "What", cell: () => el("div"), show(cell, e) {
		if (!cell.firstChild)
			cell.append(about(e));
	}},
	{key: "change", title: "Change", show: (cell, e) => e.old && e.now ? `${e.old} → ${e.now}` : e.now || ""},
	{key: "why", title: "Why", cell: () => el("div", {class: "why"}), show: (cell, e) => text(cell, e.why || "")},
], {key: id, class: "stack"});

// What it is about and what became of it, in a line.
const about = (e) => [e.network, e.subject, e.family ? `IPv${e.family}` : ""].filter(Boolean).join(" ");

function drawNewest() {
	keyed($("newest"), events.slice(0, NEWEST), id, (e) => el("li", {}, mark(STATE[e.level] || "unknown", true), el("span", {class: "unseen"}, `${e.level}: `), el("span", {class: "when"}, moment(e.time_ms)), " ",
		el("b", {}, e.kind), ` ${about(e)}${e.now ? `: ${e.now}` : ""}`), () => {});
}

function draw() {
	const level = LEVEL[$("events-level").value] || 0, kind = $("events-kind").value, wanted = $("events-find").value.trim().toLowerCase();
	const found = events.filter((e) => (LEVEL[e.level] || 0) >= level && (!kind || e.kind === kind) &&
		(!wanted || [e.network, e.subject, e.why, e.kind, e.now].some((t) => t && t.toLowerCase().includes(wanted))));
	rows.update(found.slice(0, SHOWN));
	text($("events-count"), found.length > SHOWN ? `the newest ${SHOWN} of ${found.length}` : plural(found.length, "event"));
}

export function add(list) {
	const fresh = list.filter((e) => !seen.has(id(e)));
	if (!fresh.length)
		return;
	events = [...fresh, ...events].sort((a, b) => b.time_ms - a.time_ms || b.number - a.number).slice(0, KEPT);
	seen = new Set(events.map(id));
	const kinds = [...new Set(events.map((e) => e.kind))].sort();
	keyed($("events-kind"), ["", ...kinds], (k) => k, (k) => el("option", {value: k}, k || "all"), () => {});
	draw();
	drawNewest();
}

export function start() {
	// The one that the page has is the first of those that are kept.
	$("events-kind").replaceChildren();
	keyed($("events-kind"), [""], (k) => k, () => el("option", {value: ""}, "all"), () => {});
	$("events").append(rows.node);
	for (const what of ["events-level", "events-kind"])
		$(what).addEventListener("change", draw);
	$("events-find").addEventListener("input", draw);
	draw();
}
