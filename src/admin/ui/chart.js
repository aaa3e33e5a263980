// SPDX-License-Identifier: BSD-2-Clause
// Small charts in SVG: a line for a table's cell, and an area with a scale for the last minutes. Both say in words what they show.

import {attribute, el, short, svg, text} from "./dom.js";

const WIDTH = 90, HEIGHT = 22;

// Points to the attribute d; null is a gap.
function path(values, width, height, top) {
	const step = width / Math.max(1, values.length - 1);
	let d = "", down = false;
	for (let i = 0; i < values.length; i++) {
		if (values[i] === null || values[i] === undefined) {
			down = false;
			continue;
		}
		d += `${down ? "L" : "M"}${Math.round(i * step * 10) / 10} ${Math.round((height - 1 - (height - 2) * Math.min(1, values[i] / top)) * 10) / 10}`;
		down = true;
	}
	return d;
}

const known = (values) => values.filter((v) => v !== null && v !== undefined);

// The newest of a fixed number of points is at the right edge.
export function sparkline() {
	const line = svg("path", {class: "line"});
	const node = svg("svg", {class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "no data yet"}, line);
	node.sparkline = line;
	return node;
}
export function drawSparkline(node, values, points, words) {
	const top = Math.max(1, ...known(values));
	const padded = values.length < points ? [...new Array(points - values.length).fill(null), ...values] : values.slice(-points);
	attribute(node.sparkline, "d", path(padded, WIDTH, HEIGHT, top));
	attribute(node, "aria-label", words);
}

// A rounded top for a scale: 1, 2, 5 times a power of ten.
function niceTop(v) {
	const unit = 10 ** Math.floor(Math.log10(Math.max(v, 1e-3)));
	return [1, 2, 5, 10].map((k) => k * unit).find((t) => t >= v) || v;
}

const W = 320, H = 96;

// series: [{name, class}]; returns {node, draw(lists of values, format)}.
export function chart(title, series, unit) {
	const lines = series.map((s) => svg("path", {class: `line ${s.class}`}));
	const area = svg("path", {class: `area ${series[0].class}`});
	const top = svg("text", {class: "scale", x: 0, y: 10});
	const picture = svg("svg", {class: "chart", viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": title},
		svg("path", {class: "grid", d: `M0 ${H - 1}H${W}M0 ${H / 2}H${W}M0 1H${W}`}), area, ...lines);
	const keys = series.map((s) => el("span", {class: `key ${s.class}`}, s.name + " ", el("b", {}, "–")));
	const scale = el("span", {class: "scale"}, "");
	const node = el("figure", {class: "figure"}, el("figcaption", {}, el("span", {class: "title"}, title), ...keys), el("div", {class: "plot"}, picture, scale));
	top.remove();
	return {
		node,
		draw(lists, format = short) {
			const all = known(lists.flat());
			const max = niceTop(Math.max(1e-3, ...all));
			lists.forEach((values, i) => {
				attribute(lines[i], "d", path(values, W, H, max));
				const last = known(values).pop();
				text(keys[i].lastChild, last === undefined ? "–" : format(last));
			});
			const d = path(lists[0].map((v) => v === null || v === undefined ? 0 : v), W, H, max);
			attribute(area, "d", d ? `${d}L${W} ${H}L0 ${H}Z` : "");
			text(scale, all.length ? `${format(max)}${unit ? ` ${unit}` : ""}` : "no data yet");
			attribute(picture, "aria-label", `${title}, last ${lists[0].length} seconds: ` +
				series.map((s, i) => {
					const v = known(lists[i]);
					return v.length ? `${s.name} now ${format(v[v.length - 1])}, at most ${format(Math.max(...v))}` : `${s.name} not known`;
				}).join("; "));
		},
	};
}
