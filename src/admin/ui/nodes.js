// SPDX-License-Identifier: BSD-2-Clause
// The table of nodes. Queries a second and latency have the history of what this page has seen since it was opened.

import {$, attribute, count, el, latency, mark, short, span, STATES, text} from "./dom.js";
import {drawSparkline, sparkline} from "./chart.js";
import {table} from "./table.js";

const POINTS = 60;
const RANK = {bad: 0, warn: 1, unknown: 2, good: 3};
const history = new Map();
let last = [];

function remember(node) {
	const h = history.get(node.name) || {qps: [], latency: []};
	for (const [list, value] of [[h.qps, node.qps], [h.latency, node.latencyUs]]) {
		list.push(value);
		if (list.length > POINTS)
			list.shift();
	}
	history.set(node.name, h);
}

// Of a large fleet most rows are out of sight: their lines are drawn when they come into it.
const sights = new IntersectionObserver((list) => {
	for (const e of list)
		e.target.inSight = e.isIntersecting;
	if (list.some((e) => e.isIntersecting))
		draw();
}, {rootMargin: "200px"});

const sparkCell = () => el("span", {class: "sparkcell"}, sparkline(), el("b"));
function spark(values, format, words) {
	return (cell, n) => {
		const list = values(history.get(n.name) || {qps: [], latency: []});
		const value = list.length ? list[list.length - 1] : null;
		text(cell.lastChild, format(value));
		if (cell.inSight === undefined)
			sights.observe(cell);
		if (cell.inSight !== false)
			drawSparkline(cell.firstChild, list, POINTS, `${words} of ${n.name}: now ${format(value)}`);
	};
}

const driftWords = (n) => n.drifting ? ["content", "stuck", "missing", "behind", "ahead"].filter((k) => n.kinds[k]).map((k) => `${count(n.kinds[k])} ${k}`).join(", ") : "none";

const rows = table("Nodes: health, what they serve and how fast they answer, as seen from this node", [
	{key: "name", title: "Node", value: (n) => n.name, cell: () => el("div", {}, el("span"), el("span", {class: "sub"})), show(cell, n) {
		text(cell.firstChild, n.name);
		text(cell.lastChild, [n.role === "primary" ? "primary" : "", n.city, n.self ? "this node" : ""].filter(Boolean).join(", "));
	}},
	{key: "health", title: "Health", value: (n) => RANK[n.health], cell: () => el("div"), show(cell, n) {
		if (cell.dataset.health !== n.health) {
			cell.dataset.health = n.health;
			cell.replaceChildren(mark(n.health, true), " ", el("span"));
		}
		text(cell.lastChild, n.reasons.length ? n.reasons[0].text.replace(`${n.name} `, "") + (n.reasons.length > 1 ? ` and ${n.reasons.length - 1} more` : "") : STATES[n.health]);
	}},
	{key: "networks", title: "Networks", cell: () => el("div"), show(cell, n) {
		const on = (f) => f && f.announce !== "withdrawn";
		const word = (w) => on(w.ipv4) && on(w.ipv6) ? "" : on(w.ipv4) ? " (IPv4)" : on(w.ipv6) ? " (IPv6)" : " (withdrawn)";
		text(cell, [...n.networks.values()].map((w) => w.name + word(w)).join(", ") || "–");
	}},
	{key: "version", title: "Version", value: (n) => n.version, show: (cell, n) => n.version || "–"},
	{key: "config", title: "Fleet file", value: (n) => n.sameConfig === null || n.sameConfig === undefined ? 2 : n.sameConfig ? 1 : 0,
		show: (cell, n) => n.heardMs === null ? "–" : n.sameConfig ? "same" : "other"},
	{key: "zones", title: "Zones", align: "num", first: "desc", value: (n) => n.serving,
		show: (cell, n) => n.serving === n.zones ? count(n.serving) : `${count(n.serving)} of ${count(n.zones)}`},
	{key: "drift", title: "Drift", value: (n) => -n.drifting, show: (cell, n) => driftWords(n)},
	{key: "qps", title: "Queries/s", align: "num", first: "desc", value: (n) => n.qps, cell: sparkCell, show: spark((h) => h.qps, short, "Queries a second")},
	{key: "load", title: "Load", align: "num", first: "desc", value: (n) => n.load, show: (cell, n) => n.role === "primary" && !n.networks.size ? "–" : `${(n.load / 10).toFixed(n.load < 100 ? 1 : 0)} %`},
	{key: "latency", title: "Latency", align: "num", first: "desc", value: (n) => n.latencyUs, cell: sparkCell, show: spark((h) => h.latency, latency, "Latency")},
	{key: "heard", title: "Heard", align: "num", first: "desc", value: (n) => n.heardMs, show: (cell, n) => n.self ? "self" : n.heardMs === null ? "never" : `${span(n.heardMs)} ago`},
	{key: "up", title: "Up", align: "num", first: "desc", value: (n) => n.uptimeS, show: (cell, n) => n.heardMs === null ? "–" : span(n.uptimeS * 1000)},
], {key: (n) => n.name, sort: "health", class: "stack", row: (row, n) => attribute(row, "data-node", n.name)});

function draw() {
	const wanted = $("nodes-find").value.trim().toLowerCase(), onlyBad = $("nodes-bad").checked;
	const shown = last.filter((n) => (!onlyBad || n.health !== "good") &&
		(!wanted || [n.name, n.city, n.version, ...n.networks.keys()].some((t) => t && t.toLowerCase().includes(wanted))));
	rows.update(shown);
	text($("nodes-count"), shown.length === last.length ? "" : `${shown.length} of ${last.length}`);
}

export function start() {
	$("nodes").append(rows.node);
	$("nodes-find").addEventListener("input", draw);
	$("nodes-bad").addEventListener("change", draw);
}
// fresh: these are new figures, not the old ones drawn again.
export function update(m, fresh) {
	last = m.nodes;
	if (fresh)
		last.forEach(remember);
	draw();
}
