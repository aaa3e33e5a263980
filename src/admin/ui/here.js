// SPDX-License-Identifier: BSD-2-Clause
// This node: charts of its last five minutes, its neighbors, its processes, and orders where the API allows them.

import {$, count, el, keyed, latency, mark, plural, short, span, text} from "./dom.js";
import {chart} from "./chart.js";
import {post} from "./api.js";
import {table} from "./table.js";

const POINTS = 300;
const sum = (...lists) => lists[0].map((_, i) => lists.reduce((s, l) => l[i] === null || l[i] === undefined ? s : (s || 0) + l[i], null));
const percent = (v) => `${v.toFixed(v < 10 ? 1 : 0)} %`;

/* ---- charts ---- */

const queries = chart("Queries a second", [{name: "IPv4", class: "one"}, {name: "IPv6", class: "two"}]);
const kinds = chart("Transports", [{name: "UDP", class: "one"}, {name: "TCP", class: "two"}, {name: "TLS", class: "three"}, {name: "of UDP in the kernel", class: "four"}]);
const rcodes = chart("Answers a second", [{name: "NOERROR", class: "one"}, {name: "NXDOMAIN", class: "two"}, {name: "other", class: "three"}, {name: "dropped", class: "four"}]);
const cpu = chart("Processor, all workers", [{name: "used", class: "one"}], "");
const slow = chart("Time to answer, inside", [{name: "median", class: "one"}, {name: "99 %", class: "three"}]);

let points = [];

export function rates(list) {
	points = [...points, ...list].slice(-POINTS);
	const of = (key) => {
		const got = points.map((p) => p[key] === undefined ? null : p[key]);
		return got.length < POINTS ? [...new Array(POINTS - got.length).fill(null), ...got] : got;
	};
	const family = (f) => sum(of(`udp_${f}`), of(`tcp_${f}`), of(`tls_${f}`));
	const kind = (t) => sum(of(`${t}_ipv4`), of(`${t}_ipv6`));
	queries.draw([family("ipv4"), family("ipv6")]);
	kinds.draw([kind("udp"), kind("tcp"), kind("tls"), of("xdp")]);
	rcodes.draw([of("noerror"), of("nxdomain"), of("other"), of("dropped")]);
	cpu.draw([of("cpu_percent")], percent);
	slow.draw([of("latency_p50_us"), of("latency_p99_us")], latency);
	slow.node.hidden = points.every((p) => p.latency_p50_us === undefined || p.latency_p50_us === null);
	cpu.node.hidden = points.every((p) => p.cpu_percent === undefined || p.cpu_percent === null);
}
export function forgetRates() {
	points = [];
}

/* ---- neighbors, processes ---- */

const neighbors = table("BGP neighbors of this node", [
	{key: "address", title: "Neighbor", show: (cell, n) => n.address},
	{key: "as", title: "AS", align: "num", show: (cell, n) => String(n.as)},
	{key: "state", title: "Session", cell: () => el("div"), show(cell, n) {
		keyed(cell, [n.state], (k) => k, () => el("span", {class: "tight"}, mark(n.state === "established" ? "good" : n.order === "none" ? "bad" : "note"), ` ${n.state}`), () => {});
	}},
	{key: "since", title: "For", align: "num", show: (cell, n) => span(n.since_ms)},
	{key: "prefixes", title: "Prefixes", align: "num", show: (cell, n) => count(n.prefixes)},
	{key: "bfd", title: "BFD", show: (cell, n) => n.bfd ? n.bfd.state : "off"},
	{key: "error", title: "Last error", show: (cell, n) => n.last_error || ""},
], {key: (n) => n.address, class: "stack"});

const processes = table("Processes of this node", [
	{key: "role", title: "Process", show: (cell, p) => p.role === "answer" ? `answer ${p.index}` : p.role},
	{key: "state", title: "State", cell: () => el("div"), show(cell, p) {
		keyed(cell, [!!p.pid], (k) => k, () => el("span", {class: "tight"}, mark(p.pid ? "good" : "bad"), p.pid ? " runs" : " does not run"), () => {});
	}},
	{key: "up", title: "For", align: "num", show: (cell, p) => span(p.up_ms)},
	{key: "starts", title: "Started", align: "num", show: (cell, p) => `${plural(p.starts, "time")}`},
	{key: "beat", title: "Heartbeat", align: "num", show: (cell, p) => p.heartbeat_ms === null ? "–" : `${span(p.heartbeat_ms)} ago`},
], {key: (p) => `${p.role} ${p.index}`, class: "stack"});

// Servers that answer for zones in place of this node; where there are any.
const LEVEL_OF_SERVER = {up: "good", down: "bad", unknown: "unknown"};
const backends = table("Servers that answer for zones which this node stands in front of", [
	{key: "pool", title: "Pool", show: (cell, s) => s.pool},
	{key: "name", title: "Server", show: (cell, s) => s.name},
	{key: "state", title: "State", cell: () => el("div"), show(cell, s) {
		keyed(cell, [s.state], (k) => k, () => el("span", {class: "tight"}, mark(LEVEL_OF_SERVER[s.state] || "unknown"), ` ${s.state}`), () => {});
	}},
	{key: "since", title: "For", align: "num", show: (cell, s) => s.since_ms === null ? "–" : span(s.since_ms)},
	{key: "latency", title: "Check", align: "num", show: (cell, s) => s.passed_ms === null ? "–" : latency(s.latency_us)},
	{key: "answered", title: "Answered", align: "num", show: (cell, s) => count(s.workers.answered)},
	{key: "failed", title: "Not answered", align: "num", show: (cell, s) => count(s.workers.timeouts + s.workers.errors)},
	{key: "why", title: "Why", show: (cell, s) => s.why},
], {key: (s) => `${s.pool} ${s.name}`, class: "stack"});
const serversOf = (status) => (status.backends ? status.backends.pools || [] : []).flatMap((p) => (p.servers || []).map((s) => ({...s, pool: p.name})));

/* ---- orders ---- */

const ORDERS = {
	drain: ["Drain", (n) => `Drain ${n}?`, (n, me) => `${me} will leave ${n}: it tells its neighbors of a graceful shutdown, waits until queries fade, and withdraws. Queries go to other nodes.`],
	resume: ["Resume", (n) => `Resume ${n}?`, (n, me) => `The order for ${n} is taken back: ${me} announces it again as soon as its checks pass.`],
	freeze: ["Freeze", (n) => `Freeze ${n}?`, (n, me) => `${me} will keep ${n} as it is now, announced or not, whatever the checks say, until it is resumed.`],
};

// Of the question that is open. The event of its end comes later than the end: it may come when the next one is open already.
let answered = null;

function ask(title, words, yes) {
	const dialog = $("ask");
	if (answered)
		answered(false);
	text($("ask-title"), title);
	text($("ask-text"), words);
	text($("ask-yes"), yes);
	dialog.returnValue = "no";
	dialog.showModal();
	return new Promise((resolve) => {
		answered = resolve;
	});
}
function closed() {
	if ($("ask").open || !answered)
		return;
	answered($("ask").returnValue === "yes");
	answered = null;
}

let me = "this node", after = () => {};

async function order(action, network) {
	const [word, title, words] = ORDERS[action];
	if (!await ask(title(network), words(network, me), word))
		return;
	text($("orders-said"), `${word} ${network}: under way …`);
	try {
		const got = await post("orders", {order: action, network});
		text($("orders-said"), `${word} ${network}: ${got && got.message ? got.message : "done"}`);
	} catch (e) {
		text($("orders-said"), `${word} ${network}: not done: ${e.message}`);
	}
	after();
}

function drawOrders(status) {
	keyed($("orders-list"), status.networks || [], (n) => n.name, (n) => el("div", {}, el("b", {}, n.name), el("span"),
		...Object.keys(ORDERS).map((a) => el("button", {type: "button", "data-order": a, "aria-label": `${ORDERS[a][0]} ${n.name}`, onclick: () => order(a, n.name)}, ORDERS[a][0]))),
	(node, n) => {
		text(node.children[1], n.order === "none" ? "no order" : `order: ${n.order}${n.decision && n.decision.drained ? ", done" : ""}`);
		node.querySelector("[data-order=drain]").hidden = n.order !== "none";
		node.querySelector("[data-order=freeze]").hidden = n.order !== "none";
		node.querySelector("[data-order=resume]").hidden = n.order === "none";
	});
}

export function update(status, mayChange) {
	me = status.node;
	text($("here-words"), `${status.node}, version ${status.version}, up ${span(status.uptime_ms)}${status.load ? `, load ${percent(status.load.permille / 10)}` +
		(status.load.headroom === null ? "" : `, room for ${short(status.load.headroom)} queries a second more`) : ""}`);
	neighbors.update(status.neighbors || []);
	processes.update(status.processes || []);
	const servers = serversOf(status);
	backends.update(servers);
	$("backends-part").hidden = !servers.length;
	$("orders").hidden = !mayChange;
	if (mayChange)
		drawOrders(status);
}

export function start(again) {
	after = again;
	$("ask").addEventListener("close", closed);
	$("charts").append(queries.node, kinds.node, rcodes.node, cpu.node, slow.node);
	$("neighbors").append(neighbors.node);
	$("processes").append(processes.node);
	$("backends").append(backends.node);
	rates([]);
}
