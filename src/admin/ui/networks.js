// SPDX-License-Identifier: BSD-2-Clause
// The table of networks: who announces them, by family, and what this node says of its own part, with the reason.

import {$, count, el, keyed, latency, mark, plural, short, span, text} from "./dom.js";
import {unanswered} from "./model.js";
import {openPage} from "./pages.js";
import {table} from "./table.js";

const STATE = {announced: "good", "de-preferred": "warn", "graceful-shutdown": "note", withdrawn: "unknown"};

function familyState(rows) {
	const on = rows.filter((r) => r.announce !== "withdrawn");
	const wrong = rows.some((r) => r.verdict === "hard-fail"), weak = rows.some((r) => r.verdict === "soft-fail");
	return !rows.length ? null : !on.length ? "bad" : wrong ? "warn" : weak ? "warn" : "good";
}

// "7 of 9: fra, hkg, ..."
function showFamily(cell, key, n) {
	const rows = n.families[key], state = familyState(rows);
	const on = rows.filter((r) => r.announce !== "withdrawn"), off = rows.filter((r) => r.announce === "withdrawn");
	const names = (list) => list.length > 6 ? `${list.slice(0, 6).map((r) => r.node).join(", ")} and ${list.length - 6} more` : list.map((r) => r.node).join(", ");
	const parts = state === null ? [] : [{key: "head", state, text: `${on.length} of ${plural(rows.length, "node")}`}];
	if (on.length)
		parts.push({key: "on", text: names(on)});
	if (off.length && on.length)
		parts.push({key: "off", text: `not: ${names(off)}`});
	const v = n.view && n.view[key];
	if (v)
		parts.push({key: "seen", text: v.own ? "this node holds the address itself" : v.node && !unanswered(v) ? `from here answers ${v.node}, ${latency(v.latency_us)}` : unanswered(v) ? "from here nobody answers" : "not asked from here yet"});
	if (v && (v.outside === "silent" || v.outside === "filtered"))
		parts.push({key: "outside", text: `from outside: ${v.outside} for ${span(v.outside_since_ms)}`});
	keyed(cell, parts, (p) => p.key + (p.state || ""), (p) => el("span", {class: p.state ? "tight" : "sub"}, p.state ? mark(p.state) : null, p.state ? " " : null, el("span")),
		(node, p) => text(node.lastChild, p.text));
}

function showOwn(cell, n) {
	const parts = [];
	for (const [key, name] of [["ipv4", "IPv4"], ["ipv6", "IPv6"]]) {
		const f = n.own && n.own.families && n.own.families[key];
		if (f)
			parts.push({key, name, f});
	}
	if (!parts.length)
		parts.push({key: "none"});
	keyed(cell, parts, (p) => p.f ? `${p.key} ${p.f.announce} ${p.f.page}` : p.key, (p) => !p.f ? el("span", {class: "sub"}, "not on this node") :
		el("div", {class: "why"}, mark(p.f.announce === "announced" && p.f.checks && p.f.checks.verdict !== "pass" ? "warn" : STATE[p.f.announce] || "unknown"), " ",
			el("b", {}, `${p.name} ${p.f.announce}`), el("span"), p.f.page && p.f.page !== "announced" ?
				el("button", {type: "button", class: "as-link", onclick: () => openPage(p.f.page)}, `What to do: ${p.f.page}`) : null),
	(node, p) => {
		if (p.f)
			text(node.querySelector("b + span"), ` for ${span(p.f.since_ms)}: ${p.f.why} `);
	});
}

const rows = table("Networks: where they are announced, by family, and what this node decided", [
	{key: "name", title: "Network", value: (n) => n.name, cell: () => el("div", {}, el("span"), el("span", {class: "sub"})), show(cell, n) {
		text(cell.firstChild, n.name);
		text(cell.lastChild, (n.prefixes || []).join(" "));
	}},
	{key: "v4", title: "Announced on IPv4", cell: () => el("div"), show: (cell, n) => showFamily(cell, "ipv4", n)},
	{key: "v6", title: "Announced on IPv6", cell: () => el("div"), show: (cell, n) => showFamily(cell, "ipv6", n)},
	{key: "qps", title: "Queries/s", align: "num", first: "desc", value: (n) => n.qps, show: (cell, n) => short(n.qps)},
	{key: "zones", title: "Zones here", align: "num", first: "desc", value: (n) => n.own && n.own.zones, show: (cell, n) => n.own ? `${count(n.own.zones_ready)} of ${count(n.own.zones)}` : "–"},
	{key: "own", title: "This node, and why", cell: () => el("div"), show: showOwn},
], {key: (n) => n.name, sort: "name", class: "stack"});

export const start = () => $("networks").append(rows.node);
export const update = (m) => rows.update(m.networks);
