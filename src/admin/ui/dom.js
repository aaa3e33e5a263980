// SPDX-License-Identifier: BSD-2-Clause
// The few things that every part of the page needs of the document: making elements, changing only
// what has changed, and words for figures. No part writes markup from data: text is always a text node.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
	for (const [key, value] of Object.entries(attributes || {})) {
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (value === true)
			node.setAttribute(key, "");
		else if (value !== false && value !== null && value !== undefined)
			node.setAttribute(key, value);
	}
	node.append(...children.filter((c) => c !== null && c !== undefined));
	return node;
}

export const $ = (id) => document.getElementById(id);
export const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// A shape and a word for a state: never a colour alone. `quiet`: the word stands beside it anyway.
export const STATES = {good: "good", warn: "warning", bad: "alert", unknown: "not known", note: "note"};
export function mark(state, quiet) {
	const picture = svg("svg", {class: `mark ${state}`, viewBox: "-8 -8 16 16", "aria-hidden": "true"},
		svg("use", {href: `#shape-${state}`}));
	return quiet ? picture : el("span", {class: "marked"}, picture, el("span", {class: "unseen"}, `${STATES[state]}: `));
}

// Writing the same again would wake up layout and screen readers for nothing.
export function text(node, value) {
	if (node.textContent !== value)
		node.textContent = value;
}
export function attribute(node, key, value) {
	if (value === null || value === undefined)
		node.removeAttribute(key);
	else if (node.getAttribute(key) !== String(value))
		node.setAttribute(key, value);
}

// The children of `parent` are made to be one for each item, in this order. Nodes of items that stay are kept, so focus,
// selection and open details are as well.
export function keyed(parent, items, key, make, change) {
	const old = parent.keyedChildren || new Map();
	const now = new Map();
	let at = parent.firstElementChild;
	for (const item of items) {
		const k = key(item);
		let node = old.get(k);
		if (now.has(k))
			continue;
		if (!node)
			node = make(item);
		change(node, item);
		now.set(k, node);
		if (node === at)
			at = at.nextElementSibling;
		else
			parent.insertBefore(node, at);
	}
	for (const [k, node] of old)
		if (!now.has(k))
			node.remove();
	parent.keyedChildren = now;
}

const GROUPED = new Intl.NumberFormat("en-GB");
export const count = (n) => n === null || n === undefined ? "–" : GROUPED.format(n);
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + "s"}`;

// 1234567 -> "1.23M"
export function short(n) {
	if (n === null || n === undefined)
		return "–";
	for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
		if (n >= size) {
			const v = n / (unit === "k" ? 1e3 : size);
			return (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)) + unit;
		}
	return GROUPED.format(Math.round(n));
}

// Milliseconds -> "340 ms", "12 s", "5 min", "3 h", "4 d"
export function span(ms) {
	if (ms === null || ms === undefined)
		return "–";
	if (ms < 1000)
		return `${Math.round(ms)} ms`;
	const s = ms / 1000;
	if (s < 120)
		return `${Math.floor(s)} s`;
	if (s < 7200)
		return `${Math.floor(s / 60)} min`;
	return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

// Microseconds -> "0.34 ms"
export function latency(us) {
	if (us === null || us === undefined)
		return "–";
	const ms = us / 1000;
	return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

const two = (n) => String(n).padStart(2, "0");
export function clock(ms) {
	const d = new Date(ms);
	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}
export function moment(ms) {
	const d = new Date(ms);
	const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
	return new Date().toDateString() === d.toDateString() ? clock(ms) : `${day} ${clock(ms)}`;
}
