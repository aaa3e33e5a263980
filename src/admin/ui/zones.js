// SPDX-License-Identifier: BSD-2-Clause
// Two lists that may be long: zones that differ (the API gives at most 1,024) and the zones of this node (100,000 and more). The document
// holds one page of either; of the second also the browser asks for one page at a time.

import {$, count, el, keyed, mark, moment, plural, span, text} from "./dom.js";
import {get} from "./api.js";
import {driftWord} from "./model.js";
import {table} from "./table.js";

const PAGE = 20;

function pager(where, move) {
	const button = (words, by) => el("button", {type: "button", onclick: () => move(by)}, words);
	const first = button("First", -Infinity), back = button("Previous", -1), on = button("Next", 1), at = el("span");
	$(where).append(first, back, on, at);
	return (words, hasBack, hasOn) => {
		first.disabled = back.disabled = !hasBack;
		on.disabled = !hasOn;
		text(at, words);
		$(where).hidden = !hasBack && !hasOn;
	};
}

/* ---- zones that differ ---- */

const LOUD = {content: 0, missing: 1, stuck: 2, behind: 3, ahead: 4};
const where = (r) => r.node || r.server || "?";
const differing = table("Zones that are not the same here and elsewhere", [
	{key: "zone", title: "Zone", value: (r) => r.zone, show: (cell, r) => r.zone},
	{key: "kind", title: "What", value: (r) => (r.alert ? 0 : 10) + (LOUD[r.kind] ?? 9), cell: () => el("div"), show(cell, r) {
		const state = r.alert ? (r.kind === "behind" ? "warn" : "bad") : "unknown";
		keyed(cell, [state + r.kind], (k) => k, () => el("span", {}, mark(state), " ", driftWord(r.kind)), () => {});
	}},
	{key: "node", title: "On", value: where, show: (cell, r) => where(r)},
	{key: "network", title: "Network", value: (r) => r.network, show: (cell, r) => r.network || "–"},
	{key: "here", title: "Serial here", align: "num", value: (r) => r.here, show: (cell, r) => String(r.here)},
	{key: "there", title: "Serial there", align: "num", value: (r) => r.there, show: (cell, r) => r.kind === "missing" ? "–" : String(r.there)},
	{key: "versions", title: "Versions behind", align: "num", first: "desc", value: (r) => r.versions, show: (cell, r) => r.versions ? count(r.versions) : "–"},
	{key: "since", title: "For", align: "num", first: "desc", value: (r) => r.since_ms, show: (cell, r) => span(r.since_ms)},
	{key: "why", title: "Why", show: (cell, r) => r.why || ""},
], {key: (r) => `${r.zone} ${where(r)} ${r.network}`, sort: "kind", class: "stack"});

let rows = [], hidden = 0, at = 0, known = false, driftPager = null;

function drawDrift() {
	const wanted = $("drift-find").value.trim().toLowerCase();
	const found = rows.filter((r) => !wanted || r.zone.toLowerCase().includes(wanted) || where(r).toLowerCase().includes(wanted))
		.sort((a, b) => (b.alert ? 1 : 0) - (a.alert ? 1 : 0) || (LOUD[a.kind] ?? 9) - (LOUD[b.kind] ?? 9) || b.since_ms - a.since_ms);
	at = Math.min(at, Math.max(0, Math.ceil(found.length / PAGE) - 1));
	const shown = found.slice(at * PAGE, (at + 1) * PAGE);
	differing.update(shown);
	differing.node.hidden = !rows.length;
	text($("drift-count"), !known ? "" : !rows.length ? "none: the same everywhere, as far as this node has compared" :
		`${plural(rows.length + hidden, "zone")}${wanted ? `, ${found.length} found` : ""}`);
	driftPager(`${at * PAGE + 1} to ${at * PAGE + shown.length} of ${count(found.length)}${hidden ? `; ${count(hidden)} more have no room in this list` : ""}`,
		at > 0, (at + 1) * PAGE < found.length);
}

export function updateDrift(drift) {
	rows = drift && Array.isArray(drift.rows) ? drift.rows : [];
	hidden = drift ? drift.hidden || 0 : 0;
	known = !!drift;
	drawDrift();
}

/* ---- zones of this node ---- */

const zones = table("Zones of this node", [
	{key: "name", title: "Zone", show: (cell, z) => z.name},
	{key: "state", title: "State", cell: () => el("div"), show(cell, z) {
		keyed(cell, [z.state], (k) => k, () => el("span", {}, mark(z.state === "serving" ? "good" : "bad"), " ", z.state), () => {});
	}},
	{key: "network", title: "Network", show: (cell, z) => z.network || "–"},
	{key: "serial", title: "Serial", align: "num", show: (cell, z) => String(z.serial)},
	{key: "records", title: "Records", align: "num", show: (cell, z) => count(z.records)},
	{key: "signed", title: "Signed", show: (cell, z) => z.signed ? "yes" : "no"},
	{key: "age", title: "Since", align: "num", show: (cell, z) => moment(Date.now() - z.age_s * 1000)},
], {key: (z) => z.name, class: "stack"});

// The names after which the pages so far began.
let before = [""], asked = 0, zonesPager = null, wait = null;

async function load() {
	const mine = ++asked, match = $("zones-find").value.trim();
	let next = before[before.length - 1], list = [], got;
	// With `match` a part of an answer may have few names or none and yet a next: the node looks at so many in one request, and no more.
	do {
		try {
			got = await get("zones", {after: next, limit: PAGE - list.length, match});
		} catch (e) {
			if (mine === asked)
				text($("zones-count"), `could not be asked for: ${e.message}`);
			return;
		}
		if (mine !== asked)
			return;
		list = [...list, ...(got.zones || [])];
		next = got.next || null;
		zones.update(list);
		text($("zones-count"), next && list.length < PAGE ? "looking …" : "");
	} while (next && list.length < PAGE);
	const begin = (before.length - 1) * PAGE;
	text($("zones-count"), got.total !== undefined && got.total !== null && !match ? plural(got.total, "zone") : !list.length ? "none found" : "");
	zonesPager(list.length ? `${count(begin + 1)} to ${count(begin + list.length)}` : "", before.length > 1, !!next);
	zonesPager.next = next;
}

function move(by) {
	if (by > 0 && zonesPager.next)
		before.push(zonesPager.next);
	else if (by === -1 && before.length > 1)
		before.pop();
	else if (by < -1)
		before = [""];
	load();
}

export function start() {
	$("drift").append(differing.node);
	$("zones").append(zones.node);
	driftPager = pager("drift-pages", (by) => {
		at = by === -Infinity ? 0 : Math.max(0, at + by);
		drawDrift();
	});
	zonesPager = pager("zones-pages", move);
	$("drift-find").addEventListener("input", () => {
		at = 0;
		drawDrift();
	});
	$("zones-find").addEventListener("input", () => {
		clearTimeout(wait);
		wait = setTimeout(() => {
			before = [""];
			load();
		}, 200);
	});
	drawDrift();
}
export const loadZones = load;
