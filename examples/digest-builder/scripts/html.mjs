// The digest as HTML: {"items", "chosen": {"links", "intro"}, "at_most"} on standard input, {"html", "count"} on output.
import { readFileSync } from "node:fs";

const { items, chosen, at_most: most } = JSON.parse(readFileSync(0, "utf8"));
const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const found = chosen.links.map((link) => items.find((item) => item.link === link)).filter(Boolean).slice(0, most);
const rows = found.map(({ title, link, feed }) => `<li><a href="${escaped(link)}">${escaped(title)}</a> (${escaped(feed)})</li>`);
console.log(JSON.stringify({ html: `<p>${escaped(chosen.intro)}</p><ol>${rows.join("")}</ol>`, count: found.length }));
