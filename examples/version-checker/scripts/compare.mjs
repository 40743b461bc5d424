// Sorts {"name", "used", "latest"} by what is between the two: {"minor", "major", "unknown"} on standard output.
import { readFileSync } from "node:fs";

const parts = (version) => version.split("-")[0].split(".").map(Number);
const older = (one, other) => {
  const [left, right] = [parts(one), parts(other)];
  const at = left.findIndex((number, i) => number !== right[i]);
  return at >= 0 && left[at] < right[at];
};
const found = { minor: [], major: [], unknown: [] };
for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  if (!one.latest) found.unknown.push(one.name);
  else if (older(one.used, one.latest)) found[parts(one.used)[0] < parts(one.latest)[0] ? "major" : "minor"].push(one);
}
console.log(JSON.stringify(found));
