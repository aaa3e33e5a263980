// SPDX-License-Identifier: BSD-2-Clause
// The dashboard: one page without framework, build step or anything from elsewhere. This file is the wiring.
//
// The stream says each second how the fleet and this node's rates are, and each event and change of drift as it comes; what this node says of
// itself at length (status) is asked for every few seconds and after each event. All of it becomes one model (model.js, pure), which each part of
// the page draws by changing what has changed. A page in the background is not drawn. When nothing comes any more, the page says since when what
// it shows is old, and goes on trying.

import {$, attribute, clock, el, mark, text} from "./dom.js";
import {Denied, get, post, stream} from "./api.js";
import {model} from "./model.js";
import * as endpoints from "./endpoints.js";
import * as events from "./events.js";
import * as headline from "./headline.js";
import * as here from "./here.js";
import * as map from "./map.js";
import * as networks from "./networks.js";
import * as nodes from "./nodes.js";
import * as zones from "./zones.js";

const STATUS_MS = 4000;
const known = {fleet: null, status: null, networks: null, drift: null, session: null};
let fresh = false, waiting = false, statusAt = 0, asking = false, close = null;

/* ---- drawing ---- */

function draw() {
	waiting = false;
	if (!known.fleet)
		return;
	const began = performance.now(), now = Date.now();
	const m = model({...known, now});
	m.driftTotal = known.drift ? m.drift.length + (known.drift.hidden || 0) : null;
	text($("fleet-name"), known.fleet.fleet || (known.status && known.status.fleet) || "zonecast");
	text($("node-name"), known.fleet.node || (known.status && known.status.node) || "–");
	text($("version"), known.status ? known.status.version : "");
	headline.update(m, now);
	nodes.update(m, fresh);
	networks.update(m);
	map.update(m);
	if (known.status)
		here.update(known.status, !!(known.session && known.session.changes));
	endpoints.update(known.status && known.status.endpoints);
	fresh = false;
	// For those who measure: the time that this took.
	performance.measure("zonecast draw", {start: began, end: performance.now()});
	attribute(document.body, "data-drawn", Number(document.body.dataset.drawn || 0) + 1);
}

function later() {
	if (waiting || document.hidden)
		return;
	waiting = true;
	setTimeout(draw, 20); // several messages that come together are drawn together
}

/* ---- asking ---- */

async function askStatus() {
	if (asking)
		return;
	asking = true;
	statusAt = Date.now();
	try {
		known.status = await get("status");
		later();
	} catch (e) {
		if (e instanceof Denied)
			login();
	} finally {
		asking = false;
	}
}

async function lastRates() {
	const got = await get("rates");
	here.forgetRates();
	here.rates(got.points || []);
}

// What came while nothing came.
async function catchUp() {
	events.add(await allEvents());
	await lastRates();
}

let wasLive = true;

function live(isLive, last) {
	if (isLive && !wasLive)
		catchUp().catch(() => {});
	wasLive = isLive;
	attribute($("live"), "data-state", isLive ? "live" : "stale");
	text($("live-text"), isLive ? "live" : "not live");
	document.body.classList.toggle("old", !isLive);
	$("stale").hidden = isLive;
	if (!isLive)
		text($("stale"), last ? `Nothing has come from this node since ${clock(last)}: what is shown here is as it was then. Trying again …` :
			"This node does not answer. Trying again …");
	else if (statusAt)
		askStatus();
}

const handlers = {
	fleet(data) {
		known.fleet = data;
		fresh = true;
		if (Date.now() - statusAt >= STATUS_MS)
			askStatus();
		later();
	},
	rates(data) {
		if (!document.hidden)
			here.rates(Array.isArray(data.points) ? data.points : [data]);
	},
	event(data) {
		events.add(Array.isArray(data.events) ? data.events : [data]);
		askStatus();
	},
	drift(data) {
		known.drift = data;
		zones.updateDrift(data);
		later();
	},
};

// The rings hold about a thousand; the API gives the oldest first, a part at a time.
async function allEvents() {
	let list = [], after = null;
	for (let part = 0; part < 4; part++) {
		const got = await get("events", {after, limit: 1000});
		list = [...list, ...(got.events || [])];
		if (!got.events || !got.events.length || got.next === after)
			break;
		after = got.next;
	}
	return list;
}

async function begin() {
	let parts;
	try {
		// Who may not read is asked for a token before anything is refused.
		known.session = await get("session");
		if (known.session.reads === false)
			throw new Denied("not logged in");
		parts = await Promise.all([get("fleet"), get("status"), get("drift"), allEvents()]);
	} catch (e) {
		if (e instanceof Denied)
			login();
		else {
			live(false, 0);
			setTimeout(begin, 3000);
		}
		return;
	}
	[known.fleet, known.status, known.drift] = parts;
	$("logout").hidden = !(known.session && known.session.by === "session");
	statusAt = Date.now();
	fresh = true;
	zones.updateDrift(known.drift);
	events.add(parts[3]);
	draw();
	zones.loadZones();
	lastRates().catch(() => {});
	if (close)
		close();
	close = stream(handlers, live);
}

/* ---- the token ---- */

let denied = false;

function login(wrong) {
	denied = true;
	if (close) {
		close();
		close = null;
	}
	text($("headline-text"), "Log in to see how the network is.");
	text($("live-text"), "not logged in");
	text($("login-wrong"), wrong || "");
	$("login-token").value = "";
	if (!$("login").open)
		$("login").showModal();
	$("login-token").focus();
}

function startLogin() {
	$("login-form").addEventListener("submit", async (e) => {
		e.preventDefault();
		try {
			await post("login", {token: $("login-token").value});
		} catch (problem) {
			login(problem instanceof Denied ? "This is none of the node's tokens." : `It did not work: ${problem.message}`);
			return;
		}
		denied = false;
		$("login").close();
		begin();
	});
	// Escape would leave a page that can show nothing.
	$("login").addEventListener("close", () => {
		if (denied)
			login();
	});
	$("logout").addEventListener("click", async () => {
		await post("logout", {}).catch(() => {});
		location.reload();
	});
}

/* ---- colours ---- */

// Which colours there are for light and dark is in the style sheet; this only says which of them, if it is not the system's choice.
function colours() {
	attribute(document.documentElement, "data-theme", $("theme").value === "auto" ? null : $("theme").value);
}
function startColours() {
	try {
		$("theme").value = localStorage.getItem("zonecast-theme") || "auto";
	} catch {
		// A browser that keeps nothing: the switch works until the page is closed.
	}
	if (!$("theme").value)
		$("theme").value = "auto";
	colours();
	$("theme").addEventListener("change", () => {
		colours();
		try {
			localStorage.setItem("zonecast-theme", $("theme").value);
		} catch {
			// as above
		}
	});
}

startColours();
startLogin();
for (const [state, words] of [["good", "good"], ["warn", "warning"], ["bad", "alert"], ["unknown", "ordered so, or not known"]])
	$("legend").append(el("li", {}, mark(state, true), words));
$("legend").append(el("li", {}, el("span", {class: "ring", "aria-hidden": "true"}), "this node"), el("li", {}, el("span", {class: "stroke", "aria-hidden": "true"}), "IPv4 path"),
	el("li", {}, el("span", {class: "stroke ipv6", "aria-hidden": "true"}), "IPv6 path"));
map.start();
networks.start();
nodes.start();
zones.start();
endpoints.start(later);
events.start();
here.start(askStatus);
document.addEventListener("visibilitychange", later);
begin();

