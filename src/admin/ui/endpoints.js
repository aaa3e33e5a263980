// SPDX-License-Identifier: BSD-2-Clause
// Endpoints that names are steered to, as this node has them. There is nothing to be seen where the fleet file has no pools.

import {$, count, el, keyed, latency, mark, plural, span, text} from "./dom.js";
import {table} from "./table.js";

const SHOWN = 100;
const STATES = {up: "good", down: "bad", unknown: "unknown", off: "note"};
const ORDER = {down: 0, unknown: 1, off: 2, up: 3};
const state = (e) => e.disabled ? "off" : e.up;
const others = (e) => e.others_up || e.others_down ? `${e.others_up} up, ${e.others_down} down` : "–";

const endpoints = table("Endpoints that names are steered to", [
	{key: "name", title: "Endpoint", value: (e) => `${e.pool}/${e.name}`, show: (cell, e) => `${e.pool}/${e.name}`},
	{key: "state", title: "State", value: (e) => ORDER[state(e)], cell: () => el("div"), show(cell, e) {
		keyed(cell, [state(e)], (k) => k, () => el("span", {class: "tight"}, mark(STATES[state(e)] || "unknown"), ` ${state(e)}`), () => {});
	}},
	{key: "address", title: "Address", value: (e) => e.address || e.target, show: (cell, e) => e.address || e.target},
	{key: "own", title: "Seen here", show: (cell, e) => e.own === "unknown" ? "–" : e.own},
	{key: "others", title: "By others", show: (cell, e) => others(e)},
	{key: "latency", title: "Check takes", align: "num", first: "desc", value: (e) => e.latency_us, show: (cell, e) => e.latency_us ? latency(e.latency_us) : "–"},
	{key: "since", title: "For", align: "num", value: (e) => e.since_ms, show: (cell, e) => span(e.since_ms)},
	{key: "why", title: "Why", show: (cell, e) => e.why || ""},
], {key: (e) => `${e.pool}/${e.name}`, sort: "state", class: "stack"});

export function update(got) {
	const pools = got && Array.isArray(got.pools) ? got.pools : [];
	const wanted = $("pools-find").value.trim().toLowerCase();
	const all = pools.flatMap((p) => p.endpoints.map((e) => ({...e, pool: p.name})));
	const found = all.filter((e) => !wanted || `${e.pool}/${e.name} ${e.address || e.target}`.toLowerCase().includes(wanted))
		.sort((a, b) => ORDER[state(a)] - ORDER[state(b)]);
	$("pools-card").hidden = !pools.length;
	endpoints.update(found.slice(0, SHOWN));
	const less = pools.filter((p) => p.state !== "good").length;
	text($("pools-count"), `${plural(pools.length, "pool")}, ${count(all.filter((e) => state(e) === "down").length)} of ${plural(all.length + (got ? got.hidden || 0 : 0), "endpoint")} down` +
		`${less ? `; too few are up in ${plural(less, "pool")}` : ""}${found.length > SHOWN ? `; ${SHOWN} are shown` : ""}`);
}

export function start(again) {
	$("pools").append(endpoints.node);
	$("pools-find").addEventListener("input", again);
}
