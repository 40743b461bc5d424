// The report as Markdown: {"month", "figures", "words"} on standard input.
import { readFileSync } from "node:fs";

const { month, figures, words } = JSON.parse(readFileSync(0, "utf8"));
const signed = (change) => `${change > 0 ? "+" : ""}${change} %`;
const rows = figures.map(({ name, now, before, change }) => `| ${name} | ${before} | ${now} | ${signed(change)} |`);
console.log([`# Report ${month}`, "", "| | before | now | change |", "| --- | --- | --- | --- |", ...rows, "", words].join("\n").trim());
