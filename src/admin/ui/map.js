// SPDX-License-Identifier: BSD-2-Clause
// The map: our own outlines of the continents, a mark for each node that has a site, and lines from who asks the anycast address of a
// network to the node that answered. Miller's projection. Marks that would cover each other are pushed apart until they do not; the lines go
// to where the marks are. All that it says is in the table of nodes as well, which is what a screen reader is sent to.

import {$, attribute, el, keyed, latency, STATES, svg, text} from "./dom.js";
import {lakes, land} from "./land.js";
import {catchment} from "./model.js";

const miller = (latitude) => 71.62 * Math.log(Math.tan(Math.PI / 4 + 0.4 * latitude * Math.PI / 180));
const TOP = miller(80), BOTTOM = miller(-57);
const WORLD = {x: -180, y: -TOP, w: 360, h: TOP - BOTTOM};
const RATIO = WORLD.h / WORLD.w;
const project = (longitude, latitude) => [longitude, -miller(Math.max(-57, Math.min(80, latitude)))];
const ZOOM_MAX = 24;
const MARK_PX = 7; // half of a mark's width on the screen

let view = {...WORLD}, shown = {model: null, network: null, family: "both"}, spots = new Map(), chosen = false;
let picture, lines, marks, names, select;

function outline(texts) {
	return texts.map((t) => "M" + t.split(" ").map((p) => project(...p.split(",").map(Number)).map((v) => v.toFixed(1)).join(" ")).join("L") + "Z").join("");
}

function graticule() {
	let d = "";
	for (let longitude = -150; longitude <= 150; longitude += 30)
		d += `M${longitude} ${WORLD.y}v${WORLD.h}`;
	for (const latitude of [-40, -20, 0, 20, 40, 60])
		d += `M-180 ${project(0, latitude)[1].toFixed(1)}h360`;
	return d;
}

// Degrees for a pixel of the screen.
const unit = () => view.w / Math.max(300, picture.clientWidth || 900);

function clamp() {
	view.w = Math.min(WORLD.w, Math.max(WORLD.w / ZOOM_MAX, view.w));
	view.h = view.w * RATIO;
	view.x = Math.min(WORLD.x + WORLD.w - view.w, Math.max(WORLD.x, view.x));
	view.y = Math.min(WORLD.y + WORLD.h - view.h, Math.max(WORLD.y, view.y));
}

function look(next) {
	view = {...view, ...next};
	clamp();
	attribute(picture, "viewBox", `${view.x.toFixed(2)} ${view.y.toFixed(2)} ${view.w.toFixed(2)} ${view.h.toFixed(2)}`);
	if (shown.model)
		place(shown.model.nodes);
	redraw();
}

function zoom(factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) {
	const w = Math.min(WORLD.w, Math.max(WORLD.w / ZOOM_MAX, view.w * factor));
	look({x: cx - (cx - view.x) * w / view.w, y: cy - (cy - view.y) * w / view.w, w});
}

// The part of the world where nodes are, with room around it.
function fit() {
	const at = (shown.model ? shown.model.nodes : []).filter((n) => n.site).map((n) => project(n.site.longitude, n.site.latitude));
	if (!at.length)
		return look({...WORLD});
	const xs = at.map((p) => p[0]), ys = at.map((p) => p[1]);
	const w = Math.min(WORLD.w, Math.max(40, 1.35 * Math.max(Math.max(...xs) - Math.min(...xs), (Math.max(...ys) - Math.min(...ys)) / RATIO)));
	return look({w, x: (Math.max(...xs) + Math.min(...xs)) / 2 - w / 2, y: (Math.max(...ys) + Math.min(...ys)) / 2 - w * RATIO / 2});
}

// Where the marks go: at their sites, pushed apart. The same input gives the same places.
function place(nodes) {
	const least = 1.7 * MARK_PX * unit();
	const at = nodes.filter((n) => n.site).map((n) => ({node: n, p: project(n.site.longitude, n.site.latitude)}));
	for (let round = 0; round < 12; round++) {
		let moved = false;
		for (let i = 0; i < at.length; i++)
			for (let k = i + 1; k < at.length; k++) {
				const a = at[i].p, b = at[k].p;
				let dx = b[0] - a[0], dy = b[1] - a[1], far = Math.hypot(dx, dy);
				if (far >= least)
					continue;
				if (far < 1e-6) {
					dx = Math.cos(k) * 1e-3;
					dy = Math.sin(k) * 1e-3;
					far = 1e-3;
				}
				const push = (least - far) / 2 / far;
				a[0] -= dx * push;
				a[1] -= dy * push;
				b[0] += dx * push;
				b[1] += dy * push;
				moved = true;
			}
		if (!moved)
			break;
	}
	spots = new Map(at.map((s) => [s.node.name, s.p]));
}

// A bow, so that lines between the same two cities in both directions, and of both families, are not one.
function bow(a, b, bend) {
	const dx = b[0] - a[0], dy = b[1] - a[1];
	return `M${a[0].toFixed(2)} ${a[1].toFixed(2)}Q${(a[0] + dx / 2 + dy * bend).toFixed(2)} ${(a[1] + dy / 2 - dx * bend).toFixed(2)} ${b[0].toFixed(2)} ${b[1].toFixed(2)}`;
}

function drawLines() {
	const families = shown.family === "both" ? ["ipv4", "ipv6"] : [shown.family];
	const found = catchment(shown.model, shown.network, families).filter((l) => spots.has(l.from));
	const seen = found.filter((l) => l.to && l.to !== l.from && spots.has(l.to));
	keyed(lines, seen, (l) => `${l.from} ${l.to} ${l.family}`, (l) => svg("path", {class: `catch ${l.family}`}, svg("title")), (node, l) => {
		attribute(node, "d", bow(spots.get(l.from), spots.get(l.to), l.family === "ipv4" ? 0.15 : 0.21));
		text(node.firstChild, `${l.from} reaches ${l.to} by ${l.family === "ipv4" ? "IPv4" : "IPv6"}${l.latencyUs ? `, ${latency(l.latencyUs)}` : ""}`);
	});
	const silent = found.filter((l) => !l.to).length;
	text($("map-lines"), seen.length || silent ? `${seen.length} paths seen${silent ? `, ${silent} without an answer` : ""}` : "no paths seen from here yet");
}

// Names where there is room: alerts first, then this node, then the others.
function drawNames(nodes) {
	const u = unit(), taken = [];
	const free = (box) => box.x > view.x && box.x + box.w < view.x + view.w && !taken.some((t) => box.x < t.x + t.w && t.x < box.x + box.w && box.y < t.y + t.h && t.y < box.y + box.h);
	for (const [, p] of spots)
		taken.push({x: p[0] - MARK_PX * u, y: p[1] - MARK_PX * u, w: 2 * MARK_PX * u, h: 2 * MARK_PX * u});
	const order = {bad: 0, warn: 1};
	const wanted = nodes.filter((n) => spots.has(n.name)).sort((a, b) => (order[a.health] ?? (a.self ? 2 : 3)) - (order[b.health] ?? (b.self ? 2 : 3)));
	const fitting = [];
	for (const n of wanted) {
		const p = spots.get(n.name), w = (n.name.length * 6.6 + 4) * u, h = 13 * u;
		for (const [x, y, anchor] of [[p[0] + 9 * u, p[1] - h / 2, "start"], [p[0] - 9 * u - w, p[1] - h / 2, "end"],
			[p[0] - w / 2, p[1] + 8 * u, "middle"], [p[0] - w / 2, p[1] - 8 * u - h, "middle"]]) {
			const box = {x, y, w, h};
			if (!free(box))
				continue;
			taken.push(box);
			fitting.push({name: n.name, x: anchor === "start" ? x : anchor === "end" ? x + w : x + w / 2, y: y + h * 0.77, anchor});
			break;
		}
	}
	keyed(names, fitting, (f) => f.name, (f) => svg("text", {class: "name"}, f.name), (node, f) => {
		attribute(node, "x", f.x.toFixed(2));
		attribute(node, "y", f.y.toFixed(2));
		attribute(node, "text-anchor", f.anchor);
		attribute(node, "font-size", (11.5 * u).toFixed(3));
		attribute(node, "stroke-width", (3 * u).toFixed(3));
	});
}

function drawMarks(nodes) {
	const scale = unit() * MARK_PX / 7;
	// What matters most is drawn last, over the others.
	const order = (n) => ({bad: 3, warn: 2}[n.health] || 0) + (n.self ? 1.5 : 0);
	keyed(marks, nodes.filter((n) => spots.has(n.name)).sort((a, b) => order(a) - order(b)), (n) => n.name,
		(n) => svg("g", {class: "spot"}, svg("title"), svg("circle", {class: "around", r: 11}), svg("use", {})),
		(node, n) => {
			const p = spots.get(n.name);
			attribute(node, "transform", `translate(${p[0].toFixed(2)} ${p[1].toFixed(2)}) scale(${scale.toFixed(4)})`);
			attribute(node, "class", `spot ${n.health}${n.self ? " self" : ""}`);
			attribute(node.lastChild, "href", `#shape-${n.health}`);
			text(node.firstChild, `${n.name}${n.city ? `, ${n.city}` : ""}: ${n.reasons.length ? n.reasons[0].text : STATES[n.health]}`);
		});
}

function redraw() {
	if (!shown.model)
		return;
	drawLines();
	drawMarks(shown.model.nodes);
	drawNames(shown.model.nodes);
	attribute(lines, "stroke-width", (1.3 * unit()).toFixed(3));
}

function pan() {
	let from = null;
	picture.addEventListener("pointerdown", (e) => {
		if (view.w < WORLD.w && e.pointerType === "mouse") {
			from = {x: e.clientX, y: e.clientY, view: {...view}};
			picture.setPointerCapture(e.pointerId);
		}
	});
	picture.addEventListener("pointermove", (e) => {
		if (from)
			look({x: from.view.x - (e.clientX - from.x) * unit(), y: from.view.y - (e.clientY - from.y) * unit()});
	});
	for (const end of ["pointerup", "pointercancel"])
		picture.addEventListener(end, () => {
			from = null;
		});
}

export function start() {
	lines = svg("g", {class: "lines"});
	marks = svg("g");
	names = svg("g", {"aria-hidden": "true"});
	picture = svg("svg", {class: "world", role: "img", "aria-labelledby": "map-title map-words", preserveAspectRatio: "xMidYMid slice"},
		svg("path", {class: "graticule", d: graticule()}), svg("path", {class: "land", d: outline(land)}), svg("path", {class: "lake", d: outline(lakes)}),
		lines, marks, names);
	$("map").prepend(picture);
	const button = (words, d, action) => el("button", {type: "button", class: "square", "aria-label": words, title: words, onclick: action},
		svg("svg", {viewBox: "-8 -8 16 16", "aria-hidden": "true"}, svg("path", {d})));
	$("map-tools").append(button("Zoom in", "M-6 0H6M0-6V6", () => zoom(0.6)), button("Zoom out", "M-6 0H6", () => zoom(1 / 0.6)),
		button("Show where the nodes are", "M-7-3V-7H-3M3-7H7V-3M7 3V7H3M-3 7H-7V3M-2 0H2M0-2V2", fit),
		button("Show the whole world", "M-7 0A7 7 0 1 1 7 0 7 7 0 1 1-7 0H7M0-7C-5-3-5 3 0 7M0-7C5-3 5 3 0 7", () => look({...WORLD})));
	select = $("map-network");
	select.addEventListener("change", () => {
		chosen = true;
		shown.network = select.value;
		redraw();
	});
	$("map-family").addEventListener("change", (e) => {
		shown.family = e.target.value;
		redraw();
	});
	pan();
	addEventListener("resize", () => look({}));
	look({...WORLD});
}

export function update(m) {
	const sites = m.nodes.map((n) => n.name + (n.site ? n.site.longitude + "," + n.site.latitude : "")).join(" ");
	const moved = !shown.model || shown.sites !== sites;
	shown = {...shown, model: m, sites};
	keyed(select, m.networks, (n) => n.name, (n) => el("option", {value: n.name}, n.name), () => {});
	// Figures change each second, the map seldom.
	const picture = m.nodes.map((n) => n.health + (n.reasons.length ? n.reasons[0].text : "")).join() + JSON.stringify(m.networks.map((n) => n.name)) +
		JSON.stringify(m.nodes.map((n) => n.views.map((v) => [v.ipv4 && v.ipv4.node, v.ipv6 && v.ipv6.node])));
	if (!moved && picture === shown.picture)
		return;
	shown.picture = picture;
	if (!chosen && m.networks.length) {
		// The one that has something to show: a node that holds an address cannot see who else does.
		const lines = (n) => catchment(m, n.name, ["ipv4", "ipv6"]).length;
		shown.network = select.value = m.networks.reduce((best, n) => lines(n) > lines(best) ? n : best).name;
	}
	if (moved)
		look({});
	else
		redraw();
	const bare = m.nodes.filter((n) => !n.site).map((n) => n.name);
	text($("map-bare"), bare.length ? `Without a site in the fleet file: ${bare.length > 12 ? `${bare.slice(0, 12).join(", ")} and ${bare.length - 12} more` : bare.join(", ")}.` : "");
	const of = (health) => m.nodes.filter((n) => n.health === health).length;
	text($("map-words"), `${m.nodes.length} nodes: ${of("good")} good, ${of("warn")} with warnings, ${of("bad")} with alerts, ${of("unknown")} neither. The table of nodes says the same in words.`);
}
