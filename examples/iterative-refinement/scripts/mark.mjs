// Marks a text: {"text", "must_mention", "rules"} on standard input, {"score", "feedback"} on standard output.
import { readFileSync } from "node:fs";

const { text, must_mention: wanted, rules } = JSON.parse(readFileSync(0, "utf8"));
const words = text.toLowerCase().match(/[\p{L}'-]+/gu) ?? [];
const faults = [
  ...wanted.filter((word) => !words.includes(word)).map((word) => `mention "${word}"`),
  ...(rules.forbidden ?? []).filter((word) => words.includes(word)).map((word) => `do without "${word}"`),
  ...(words.length > (rules.max_words ?? 100) ? [`cut it to ${rules.max_words} words`] : []),
];
const score = Math.max(0, 100 - 30 * faults.length);
console.log(JSON.stringify({ score, feedback: faults.join("; ") || "nothing to add" }));
