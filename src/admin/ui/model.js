// SPDX-License-Identifier: BSD-2-Clause
// What the page shows, made of what the API says: pure functions, no document and no clock in here.
//
// input: {fleet, status, networks, drift, now} as the API gave them (any may be missing: null), now in milliseconds since 1970.
// model(input) -> {nodes, networks, problems, headline, drift}. A problem is {key, level, text, sinceMs, page, where}: level is "bad",
// "warn" or "note" (something that an operator ordered); page names a page of doc/howto; where is the part of this page that shows it.

// A node is silent when none of its addresses has answered this many questions in a row: one lost datagram is nothing.
const SILENT_AFTER = 3;
const FAMILIES = [["ipv4", "IPv4"], ["ipv6", "IPv6"]];
const RANK = {good: 0, unknown: 1, note: 2, warn: 3, bad: 4};
const PAGE_OF_CAUSE = {stale: "stale", behind: "stale", signatures: "near-expiry", expiry: "near-expiry", overload: "overload", zones: "zones-missing", backends: "backends"};
// Kinds of drift that are alarming as such; the others only when the API says so.
const LOUD = new Set(["content"]);

const worst = (a, b) => RANK[a] >= RANK[b] ? a : b;
const isV6 = (address) => address.includes(":");
const on = (family) => family && family.announce !== "withdrawn";
const list = (a) => Array.isArray(a) ? a : [];
const number = (n) => n.toLocaleString("en-GB");
const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many || one + "s"}`;
const join = (words) => words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
const some = (names, max) => names.length <= max ? join(names) : `${names.slice(0, max).join(", ")} and ${names.length - max} more`;

/* ---- nodes ---- */

// A node whose place is not in the fleet file has none, or 0 and 0, where only water is.
const siteOf = (s) => s && Number.isFinite(s.latitude) && Number.isFinite(s.longitude) && (s.latitude || s.longitude) ? s : null;

function addressesSilent(node, v6) {
	const of = list(node.addresses).filter((a) => isV6(a.address) === v6);
	return of.length > 0 && of.every((a) => a.failures >= SILENT_AFTER);
}

// Since the last answer over the family; null: there was none.
function familyHeard(node, v6) {
	const heard = list(node.addresses).filter((a) => isV6(a.address) === v6 && Number.isFinite(a.heard_ms)).map((a) => a.heard_ms);
	return heard.length ? Math.min(...heard) : null;
}

// Smoothed time of a plain question by UDP, the best of the node's addresses; else of the last status question.
function nodeLatency(node) {
	const measured = list(node.addresses).map((a) => a.udp && a.udp.latency_us).filter((us) => us > 0);
	return measured.length ? Math.min(...measured) : node.round_us || null;
}

function pathProblems(node, add) {
	for (const [v6, name] of [[false, "IPv4"], [true, "IPv6"]])
		if (addressesSilent(node, v6))
			add("warn", `${node.name} does not answer on ${name} at its management address`, {key: `path ${name}`, sinceMs: familyHeard(node, v6), page: "region"});
	for (const a of list(node.addresses))
		for (const transport of ["udp", "tcp"]) {
			const p = a[transport];
			if (p && p.failures >= SILENT_AFTER && a.failures < SILENT_AFTER)
				add("warn", `${node.name} does not answer plain questions over ${transport.toUpperCase()} at ${a.address}, port 53`,
					{key: `path ${a.address} ${transport}`, sinceMs: p.answered_ms, page: "outside-in"});
		}
}

function familyProblems(node, network, family, name, add) {
	const causes = list(family.causes);
	const more = {key: `${network.name} ${name}`, network: network.name};
	if (family.verdict === "hard-fail")
		add("bad", `${node.name} answers wrongly or not at all in ${network.name}, ${name}`, {...more, page: "withdrawn-hard"});
	else if (family.verdict === "soft-fail")
		add("warn", `${node.name} is degraded in ${network.name}, ${name}${causes.length ? ": " + causes.join(", ") : ""}`,
			{...more, page: PAGE_OF_CAUSE[causes[0]]});
	else if (family.announce === "de-preferred")
		add("warn", `${node.name} is de-preferred in ${network.name}, ${name}`, {...more, page: "de-preferred"});
	else if (family.announce === "graceful-shutdown")
		add("note", `${node.name} is leaving ${network.name}, ${name}`, {...more, page: "draining"});
	else if (family.verdict === "pass" && family.announce === "withdrawn" && node.role !== "primary")
		add("note", `${node.name} is well, but does not announce ${network.name} on ${name}`, more);
}

function nodeProblems(node, add) {
	if (!node.self && node.heard_ms === null) {
		add("bad", `${node.name} has never answered`, {key: "silent", page: "node-not-seen"});
		return;
	}
	if (!node.self && list(node.addresses).length && list(node.addresses).every((a) => a.failures >= SILENT_AFTER)) {
		add("bad", `${node.name} does not answer`, {key: "silent", sinceMs: node.heard_ms, page: "node-not-seen"});
		return;
	}
	pathProblems(node, add);
	for (const network of list(node.networks))
		for (const [key, name] of FAMILIES)
			if (network[key])
				familyProblems(node, network, network[key], name, add);
	if (node.same_config === false)
		add("warn", `${node.name} has another fleet file`, {key: "config", page: "generation-refused"});
	if (node.serving < node.zones)
		add("warn", `${node.name} serves ${number(node.serving)} of ${plural(node.zones, "zone")}`, {key: "zones", page: "zones-missing"});
	if (node.stopping)
		add("note", `${node.name} is stopping`, {key: "stopping", page: "draining"});
	if (node.why)
		add("warn", `${node.name}: ${node.why}`, {key: "why"});
}

function makeNode(raw, problems) {
	const networks = new Map(list(raw.networks).map((n) => [n.name, n]));
	const kinds = raw.drift || {};
	const node = {
		name: raw.name, role: raw.role, self: !!raw.self, site: siteOf(raw.site), city: raw.site && raw.site.city, version: raw.version || "", uptimeS: raw.uptime_s,
		heardMs: raw.self ? 0 : raw.heard_ms, sameConfig: raw.self ? true : raw.same_config, zones: raw.zones, serving: raw.serving,
		generation: raw.generation, networks, latencyUs: raw.self ? null : nodeLatency(raw), addresses: list(raw.addresses),
		qps: Math.max(0, ...list(raw.networks).map((n) => n.qps || 0)), load: Math.max(0, ...list(raw.networks).map((n) => n.load || 0)),
		drifting: ["behind", "stuck", "content", "missing", "ahead"].reduce((sum, k) => sum + (kinds[k] || 0), 0), kinds,
		views: list(raw.views), health: "good", reasons: [],
	};
	nodeProblems(raw, (level, words, more) => {
		const p = {level, text: words, where: "nodes", node: raw.name, page: null, sinceMs: null, ...more, key: `${raw.name} ${more.key}`};
		problems.push(p);
		node.reasons.push(p);
		node.health = worst(node.health, level === "note" ? "unknown" : level);
	});
	return node;
}

/* ---- networks ---- */

// Who announces what, of all nodes; and what this node itself says of the network, with its reasons.
function makeNetworks(nodes, own, views) {
	const found = new Map();
	for (const node of nodes)
		for (const [name, n] of node.networks) {
			const row = found.get(name) || {name, families: {ipv4: [], ipv6: []}, members: 0, qps: 0};
			row.members++;
			row.qps += n.qps || 0;
			for (const [key] of FAMILIES)
				if (n[key])
					row.families[key].push({node: node.name, announce: n[key].announce, verdict: n[key].verdict, health: node.health});
			found.set(name, row);
		}
	for (const n of own) {
		const row = found.get(n.name) || {name: n.name, families: {ipv4: [], ipv6: []}, members: 0, qps: 0};
		found.set(n.name, {...row, own: n.decision ? n : null, prefixes: list(n.prefixes), addresses: list(n.addresses).map((a) => a.address || a)});
	}
	for (const v of views) {
		const row = found.get(v.network);
		if (row)
			row.view = v;
	}
	return [...found.values()];
}

// A network that nobody announces in a family that it has prefixes of.
function lostProblems(networks, add) {
	for (const n of networks)
		for (const [key, name] of FAMILIES) {
			const has = list(n.prefixes).length ? n.prefixes.some((p) => isV6(p) === (key === "ipv6")) : n.families[key].some((f) => f.verdict !== "unknown");
			if (has && n.families[key].length && !n.families[key].some(on))
				add("bad", `nobody announces ${n.name} on ${name}`, {key: `lost ${n.name} ${name}`, where: "networks", page: "backstop-only"});
		}
}

// Does who asks from there get answers? What others tell has a word for it, what this node sees has counts.
export const unanswered = (v) => v && !v.own && (v.seen ? v.seen === "silent" || v.seen === "filtered" : v.failures >= SILENT_AFTER);

function viewProblems(nodes, networks, add) {
	const told = new Set();
	for (const n of networks)
		for (const [key, name] of FAMILIES) {
			const v = n.view && n.view[key];
			const more = v && {key: `outside ${n.name} ${name}`, where: "networks", sinceMs: v.outside_since_ms, page: "outside-in"};
			if (!v || v.outside !== "silent" && v.outside !== "filtered")
				continue;
			told.add(more.key);
			if (v.outside === "silent")
				add("bad", `seen from outside, ${n.name} does not answer on ${name}${v.why ? `: ${v.why}` : ""}`, more);
			else
				add("bad", `port 53 of ${n.name} is filtered on ${name}${v.why ? `: ${v.why}` : ""}`, more);
		}
	// Well here, failing there is a state of its own: each of those who ask is named.
	const silent = new Map();
	for (const node of nodes)
		for (const view of node.views)
			for (const [key, name] of FAMILIES) {
				const v = view[key], at = `outside ${view.network} ${name}`;
				if (!unanswered(v) || told.has(at))
					continue;
				const s = silent.get(at) || {network: view.network, name, from: [], last: new Set(), sinceMs: null};
				s.from.push(node.name);
				if (v.last)
					s.last.add(v.last);
				s.sinceMs = Math.max(s.sinceMs, (!v.seen ? v.heard_ms : v.seen_since_ms === undefined ? v.since_ms : v.seen_since_ms) || 0) || null;
				silent.set(at, s);
			}
	for (const [key, s] of silent)
		add("bad", `seen from ${some(s.from, 3)}, ${s.network} does not answer on ${s.name}${s.last.size ? `; ${some([...s.last], 3)} answered last` : ""}`, {key, where: "networks", sinceMs: s.sinceMs, page: "region"});
}

/* ---- this node ---- */

function ownProblems(status, add) {
	if (!status)
		return;
	const me = status.node;
	for (const n of list(status.networks))
		for (const [key, name] of FAMILIES) {
			const f = n.families && n.families[key];
			if (f && f.page && f.page !== "announced")
				add(f.announce === "withdrawn" && n.order === "none" ? "bad" : n.order === "none" ? "warn" : "note",
					`${me} has ${n.name} ${f.announce} on ${name}: ${f.why}`,
					{key: `${me} ${n.name} ${name}`, where: "networks", page: f.page, sinceMs: f.since_ms, node: me});
		}
	for (const n of list(status.neighbors))
		if (n.state !== "established")
			add("warn", `${me} has no BGP session with ${n.address}${n.last_error ? `: ${n.last_error}` : ""}`,
				{node: me, key: `neighbor ${n.address}`, where: "here", page: n.order === "none" ? "neighbor-down" : "neighbor-drained", sinceMs: n.since_ms});
	for (const p of list(status.processes))
		if (!p.pid)
			add("bad", `the process ${p.role} of ${me} does not run: ${p.why}`, {node: me, key: `process ${p.role} ${p.index}`, where: "here", page: p.role === "answer" ? "worker-dead" : "process"});
	if (status.zones && status.zones.failing > 0)
		add("warn", `${plural(status.zones.failing, "zone file")} of ${me} cannot be served as ${status.zones.failing === 1 ? "it is" : "they are"}`,
			{key: "failing", where: "zones", page: "zones-missing"});
	if (status.config && status.config.refused)
		add("warn", `${me} refused a reload: ${status.config.refused.why}`,
			{key: "refused", where: "here", page: "reload-refused", sinceMs: status.config.refused.since_ms});
	for (const o of list(status.rpki && status.rpki.origins))
		if (o.state === "invalid")
			add("bad", `RPKI does not allow ${o.prefix}: ${o.why}`, {key: `rpki ${o.prefix}`, where: "here", page: "rpki-invalid", sinceMs: o.since_ms});
	for (const p of list(status.backends && status.backends.pools)) {
		const down = list(p.servers).filter((s) => s.state === "down");
		const more = {node: me, where: "here", page: "backends"};
		if (down.length && down.length === list(p.servers).length)
			add("bad", `no server of ${p.name} answers ${me}: ${down[0].why}`, {...more, key: `backends ${p.name}`, sinceMs: Math.min(...down.map((s) => s.since_ms))});
		else
			for (const s of down)
				add("warn", `server ${s.name} of ${p.name} does not answer ${me}: ${s.why}`, {...more, key: `backend ${p.name} ${s.name}`, sinceMs: s.since_ms});
	}
	for (const h of list(status.hijacks && status.hijacks.routes))
		add("bad", `AS ${h.origin} announces ${h.prefix}, which is ours`, {key: `hijack ${h.prefix} ${h.path}`, where: "here", page: "hijack", sinceMs: h.since_ms});
}

/* ---- endpoints ---- */

function endpointProblems(pools, add) {
	for (const p of pools) {
		const down = list(p.endpoints).filter((e) => e.up === "down" && !e.disabled), since = down.map((e) => e.since_ms).filter(Number.isFinite);
		// Too few since the last one fell.
		if (p.state !== "good")
			add("bad", p.state === "down" ? `no endpoint of pool ${p.name} is up` : `pool ${p.name} has ${p.up} of ${plural(p.total, "endpoint")} up, fewer than are to be given`,
				{key: `pool ${p.name}`, where: "pools", page: "endpoint-down", sinceMs: since.length ? Math.min(...since) : null});
		if (down.length && p.state === "good")
			add("warn", down.length === 1 ? `endpoint ${p.name}/${down[0].name} is down: ${down[0].why}` : `${plural(down.length, "endpoint")} of pool ${p.name} are down`,
				{key: `endpoints ${p.name}`, where: "pools", page: "endpoint-down", sinceMs: since.length ? Math.max(...since) : null});
		if (p.differ)
			add("note", `nodes do not see the same endpoints of pool ${p.name} up`, {key: `views ${p.name}`, where: "pools", page: "endpoint-down"});
	}
}

/* ---- drift ---- */

const DRIFT_WORDS = {
	behind: "is behind", stuck: "is stuck", content: "has other content with the same serial", missing: "is missing", ahead: "is newer",
};
export const driftWord = (kind) => DRIFT_WORDS[kind] || kind;

// One problem for each node and kind, however many zones it has.
function driftProblems(rows, add) {
	const groups = new Map();
	for (const r of rows) {
		if (!r.alert && !LOUD.has(r.kind))
			continue;
		const key = `${r.node || r.server} ${r.kind}`;
		const g = groups.get(key) || {kind: r.kind, where: r.node || r.server, zones: [], sinceMs: 0, why: r.why};
		g.zones.push(r.zone);
		g.sinceMs = Math.max(g.sinceMs, r.since_ms || 0);
		groups.set(key, g);
	}
	for (const [key, g] of groups) {
		const words = g.zones.length === 1 ? `${g.zones[0]} ${driftWord(g.kind)} on ${g.where}` :
			`${plural(g.zones.length, "zone")} on ${g.where}: ${some(g.zones, 2)} ${g.zones.length ? driftWord(g.kind).replace(/^is /, "are ").replace(/^has /, "have ") : ""}`;
		add(g.kind === "behind" ? "warn" : "bad", words, {key: `drift ${key}`, where: "drift", sinceMs: g.sinceMs,
			page: "drift", node: g.where});
	}
}

/* ---- all ---- */

function summary(nodes, networks, drift) {
	const answering = nodes.filter((n) => n.self || (n.heardMs !== null && !n.reasons.some((r) => r.key.endsWith(" silent")))).length;
	const announcing = (key) => networks.filter((n) => n.families[key].some(on)).length;
	const zones = Math.max(0, ...nodes.map((n) => n.zones || 0));
	return {answering, total: nodes.length, v4: announcing("ipv4"), v6: announcing("ipv6"), networks: networks.length, zones,
		announcers: nodes.filter((n) => [...n.networks.values()].some((w) => on(w.ipv4) || on(w.ipv6))).length,
		drifting: drift.length, qps: nodes.reduce((sum, n) => sum + n.qps, 0)};
}

function headline(problems, s) {
	const bad = problems.filter((p) => p.level === "bad"), warn = problems.filter((p) => p.level === "warn");
	const notes = problems.filter((p) => p.level === "note");
	if (!s.total)
		return {state: "unknown", text: "Nothing is known yet."};
	if (!bad.length && !warn.length) {
		const parts = [s.total === 1 ? "it answers" : `${s.answering} of ${plural(s.total, "node")} answer`];
		if (s.networks)
			parts.unshift(`${s.networks === 1 ? "the network is" : `all ${s.networks} networks are`} announced by ${plural(s.announcers, "node")}`);
		if (s.zones)
			parts.push(s.zones === 1 ? "the zone is the same everywhere" : `all ${number(s.zones)} zones are the same everywhere`);
		return {state: "good", text: `Everything is all right: ${join(parts)}${notes.length ? `; ${plural(notes.length, "note")}` : ""}.`};
	}
	const counts = [bad.length && plural(bad.length, "alert"), warn.length && plural(warn.length, "warning")].filter(Boolean);
	const first = (bad[0] || warn[0]).text.replace(/\.$/, ""); // a name may stand at its end
	return {state: bad.length ? "bad" : "warn",
		text: bad.length + warn.length === 1 ? `Not all right: ${first}.` : `Not all right: ${join(counts)}. First: ${first}.`};
}

export function model(input) {
	const problems = [];
	const own = list(input.networks && input.networks.networks).length ? input.networks.networks : list(input.status && input.status.networks);
	const drift = list(input.drift && input.drift.rows);
	const nodes = list(input.fleet && input.fleet.nodes).map((n) => makeNode(n, problems));
	const networks = makeNetworks(nodes, own, list(input.fleet && input.fleet.views));
	const add = (level, words, more) => problems.push({level, text: words, page: null, sinceMs: null, node: null, ...more});
	lostProblems(networks, add);
	viewProblems(nodes, networks, add);
	ownProblems(input.status, add);
	driftProblems(drift, add);
	endpointProblems(list(input.status && input.status.endpoints && input.status.endpoints.pools), add);
	// What this node says of itself has reasons; the same in the words of the others goes.
	const told = new Set(problems.filter((p) => p.where === "networks").map((p) => p.key));
	const unique = new Map();
	for (const p of problems)
		if (!(p.where === "nodes" && told.has(p.key)))
			unique.set(p.key, p);
	for (const p of unique.values()) {
		const node = p.where !== "nodes" && nodes.find((n) => n.name === p.node);
		if (node && p.level !== "note") {
			node.reasons.push(p);
			node.health = worst(node.health, p.level);
		}
	}
	for (const n of nodes)
		n.reasons.sort((a, b) => RANK[b.level] - RANK[a.level]);
	const sorted = [...unique.values()].sort((a, b) => RANK[b.level] - RANK[a.level]);
	return {nodes, networks, drift, problems: sorted, summary: summary(nodes, networks, drift),
		headline: headline(sorted, summary(nodes, networks, drift))};
}

// Lines of the map for one network: who asks and who answered; of each node of which it is known.
export function catchment(m, network, families) {
	const lines = [];
	for (const node of m.nodes)
		for (const v of node.views)
			for (const key of families) {
				const f = v.network === network && v[key];
				if (f && !f.own && (f.node || unanswered(f)))
					lines.push({from: node.name, to: unanswered(f) ? null : f.node, family: key, latencyUs: f.latency_us || null});
			}
	return lines;
}
