// SPDX-License-Identifier: BSD-2-Clause
// A table whose columns sort by buttons in their heads and whose rows stay the same elements while their figures change.
// columns: [{key, title, value(item) to sort by, cell() -> element (optional), show(cell, item), align, first: "desc"}]

import {attribute, el, keyed, text} from "./dom.js";

function compare(a, b) {
	if (a === b)
		return 0;
	if (a === null || a === undefined)
		return 1;
	if (b === null || b === undefined)
		return -1;
	return typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b;
}

export function table(caption, columns, options) {
	const body = el("tbody");
	const heads = new Map();
	let sorted = options.sort, down = !!options.down, items = [];

	const head = el("tr", {}, ...columns.map((c) => {
		const cell = el("th", {scope: "col", class: c.align || null});
		heads.set(c.key, cell);
		if (c.value)
			cell.append(el("button", {type: "button", class: "sort", onclick: () => {
				down = sorted === c.key ? !down : c.first === "desc";
				sorted = c.key;
				draw();
			}}, c.title));
		else
			cell.append(c.title);
		return cell;
	}));
	const node = el("table", {class: options.class || null}, el("caption", {class: "unseen"}, caption), el("thead", {}, head), body);

	function make() {
		return el("tr", {}, ...columns.map((c, i) => {
			const cell = i === 0 ? el("th", {scope: "row"}) : el("td", {class: c.align || null, "data-title": c.title});
			if (c.cell)
				cell.append(c.cell());
			return cell;
		}));
	}
	function change(row, item) {
		columns.forEach((c, i) => {
			const cell = row.children[i];
			const value = c.show(c.cell ? cell.firstChild : cell, item);
			if (value !== undefined)
				text(cell, value);
		});
		if (options.row)
			options.row(row, item);
	}
	function draw() {
		const column = columns.find((c) => c.key === sorted);
		if (column)
			items.sort((a, b) => (down ? -1 : 1) * compare(column.value(a), column.value(b)) || compare(options.key(a), options.key(b)));
		for (const [key, cell] of heads)
			attribute(cell, "aria-sort", key === sorted ? (down ? "descending" : "ascending") : null);
		keyed(body, items, options.key, make, change);
	}
	return {
		node,
		update(list) {
			items = [...list];
			draw();
		},
	};
}
