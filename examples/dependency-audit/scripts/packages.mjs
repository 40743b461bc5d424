// From a package-lock.json on standard input to [{"name", "version"}] on standard output.
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync(0, "utf8"));
if (!packages) {
  console.error("this lock file has no packages; version 2 or 3 is needed");
  process.exit(1);
}
const found = Object.entries(packages)
  .filter(([path]) => path !== "")
  .map(([path, { version }]) => ({ name: path.split("node_modules/").at(-1), version }));
console.log(JSON.stringify(found));
