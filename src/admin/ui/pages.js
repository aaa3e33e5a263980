// SPDX-License-Identifier: BSD-2-Clause
// What to do: the pages of doc/howto, which are in the program as they are in the repository. As much of their markup is understood as they
// use: headings, paragraphs, lists, code, tables as lines. All of it becomes text nodes.

import {$, el, text} from "./dom.js";

// `code` and [words](page.md)
function words(node, line) {
	const part = /`([^`]+)`|\[([^\]]+)\]\(([a-z-]+)\.md\)|\*\*?([^*]+)\*\*?/g;
	let at = 0, m;
	while ((m = part.exec(line)) !== null) {
		node.append(line.slice(at, m.index));
		at = part.lastIndex;
		if (m[1])
			node.append(el("code", {}, m[1]));
		else if (m[2]) {
			const page = m[3];
			node.append(el("button", {type: "button", class: "as-link", onclick: () => openPage(page)}, m[2]));
		} else
			node.append(el("em", {}, m[4]));
	}
	node.append(line.slice(at));
	return node;
}

export function render(source) {
	const out = [];
	let paragraph = null, items = null, code = null;
	for (const line of source.split("\n")) {
		const item = /^(?:[-*]|\d+\.)\s+(.*)/.exec(line);
		const heading = /^#+\s+(.*)/.exec(line);
		if (/^ {4}|^\t/.test(line) && !items) {
			if (!code)
				out.push(code = el("pre", {}, ""));
			code.append(line.replace(/^ {4}|^\t/, "") + "\n");
			paragraph = null;
			continue;
		}
		code = null;
		if (!line.trim())
			paragraph = items = null;
		else if (heading) {
			out.push(words(el("h3"), heading[1]));
			paragraph = items = null;
		} else if (item) {
			if (!items)
				out.push(items = el(/^\d/.test(line) ? "ol" : "ul"));
			items.append(words(el("li"), item[1]));
			paragraph = null;
		} else if (items)
			words(items.lastChild, " " + line.trim());
		else if (paragraph)
			words(paragraph, " " + line.trim());
		else
			out.push(paragraph = words(el("p"), line.trim()));
	}
	return out;
}

export async function openPage(name) {
	const dialog = $("page");
	text($("page-title"), name);
	$("page-text").replaceChildren(el("p", {}, "Reading …"));
	if (!dialog.open)
		dialog.showModal();
	try {
		const response = await fetch(`/ui/${encodeURIComponent(name)}.md`, {credentials: "same-origin", signal: AbortSignal.timeout(10000)});
		if (!response.ok)
			throw new Error(String(response.status));
		const source = await response.text();
		const title = /^#\s+(.*)/.exec(source);
		text($("page-title"), title ? title[1] : name);
		$("page-text").replaceChildren(...render(source.replace(/^#\s+.*\n/, "")));
	} catch {
		$("page-text").replaceChildren(el("p", {}, `This node does not have the page here. It is doc/howto/${name}.md in the repository.`));
	}
}
