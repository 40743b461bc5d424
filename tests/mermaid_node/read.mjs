// Reads a JSON list of flowcharts, a line each time, and says what Mermaid understood of each of them.
import readline from "node:readline";
import DOMPurify from "dompurify";

// Without a document there is nothing to purify with; what is read here is not shown.
DOMPurify.sanitize ??= (text) => text;
DOMPurify.addHook ??= () => {};
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, securityLevel: "strict", logLevel: "fatal" });

const plain = (text) =>
  text
    .replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("\u200b", "")
    .replace(/<br\s*\/>/g, "\n")
    .replace(/<\/?b>/g, "");

async function read(text) {
  try {
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    return {
      title: db.getDiagramTitle(),
      nodes: [...db.getVertices().values()].map((node) => ({
        id: node.id, text: plain(node.text), shape: node.type, classes: node.classes, link: node.link ?? null,
      })),
      edges: db.getEdges().map((edge) => [edge.start, edge.end, plain(edge.text), edge.stroke]),
      groups: db.getSubGraphs().map((group) => ({ id: group.id, nodes: group.nodes })),
    };
  } catch (error) {
    return { error: String(error) };
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const answers = [];
  for (const text of JSON.parse(line)) answers.push(await read(text));
  process.stdout.write(JSON.stringify(answers) + "\n");
}
