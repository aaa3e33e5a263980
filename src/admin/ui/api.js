// SPDX-License-Identifier: BSD-2-Clause
// The JSON API and its live stream. The stream is an EventSource, which connects again by itself; what it does not do is notice that nothing
// comes any more, so the age of the last message is watched here, and a connection that is dead without saying so is made anew.

const BASE = "/api/v1/";
// The stream says something each second. Quiet for this long means that what is shown is old.
const STALE_MS = 5000;
const RECONNECT_MS = 3000;

export class Denied extends Error {}

async function answer(response) {
	if (response.status === 401 || response.status === 403)
		throw new Denied(`the node answered ${response.status}`);
	if (!response.ok) {
		const body = await response.json().catch(() => null);
		throw new Error(body && body.error || `the node answered ${response.status} ${response.statusText}`);
	}
	return response.status === 204 ? null : response.json();
}

export async function get(path, parameters) {
	const query = new URLSearchParams(Object.entries(parameters || {}).filter(([, v]) => v !== null && v !== undefined && v !== ""));
	const rest = query.size ? `?${query}` : "";
	return answer(await fetch(BASE + path + rest, {credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10000)}));
}

export async function post(path, body) {
	return answer(await fetch(BASE + path, {method: "POST", credentials: "same-origin", headers: {"Content-Type": "application/json"},
		body: JSON.stringify(body), signal: AbortSignal.timeout(20000)}));
}

// handlers: {rates, fleet, event, drift} with the data; state(live, lastMs) when it changes and each second while it is old.
export function stream(handlers, state) {
	let source = null, last = 0, opened = 0, live = false;

	function open() {
		if (source)
			source.close();
		opened = Date.now();
		source = new EventSource(BASE + "stream", {withCredentials: true});
		for (const [name, handler] of Object.entries(handlers))
			source.addEventListener(name, (e) => {
				last = Date.now();
				if (!live)
					state(live = true, last);
				handler(JSON.parse(e.data));
			});
	}
	open();
	const timer = setInterval(() => {
		const now = Date.now();
		if (now - Math.max(last, opened) < STALE_MS && source.readyState !== EventSource.CLOSED)
			return;
		live = false;
		state(false, last);
		if (source.readyState === EventSource.CLOSED ? now - opened >= RECONNECT_MS : now - opened >= 2 * STALE_MS)
			open();
	}, 1000);
	return () => {
		clearInterval(timer);
		source.close();
	};
}
