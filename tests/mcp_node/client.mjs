// The MCP client of the official TypeScript SDK, driven by a list of operations.
//
//   node client.mjs sse URL | http URL | stdio COMMAND [ARGUMENT...]   < operations.json > results.json
//
// An operation is {"do": NAME, "as": NAME, "client": NAME, ...}. It is done by the client of that name ("main" when
// left out), which `connect` has made; clients share nothing. Its result is printed under the name in "as", or
// {"thrown": {code, message}}, and what comes after goes on; operations in a list of their own are done at the same
// time. "{$NAME.path.to.it}" in a string is a part of an earlier result. Under "clients" stands what each client was
// told and asked, what its SDK complained of, and how the program ended that it had started.

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const WITHIN = 10_000; // milliseconds that something may take that does not say itself when it is there

class Session {
  constructor({ elicitation, answers = [] }) {
    this.told = [];
    this.asked = [];
    this.wire = [];
    this.closed = false;
    this.ended = null; // how the program that it started ended: {code, signal}
    this.complaints = [];
    this.sdk = new Client(
      { name: "second-client", version: "1" },
      { capabilities: elicitation ? { elicitation } : {}, enforceStrictCapabilities: true },
    );
    this.sdk.onerror = (error) => this.complaints.push(error.message);
    this.sdk.fallbackNotificationHandler = async ({ method, params }) => void this.told.push({ method, params });
    if (elicitation) {
      this.sdk.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
        this.asked.push(params);
        return answers.shift() ?? { action: "cancel" };
      });
    }
  }

  async connect([kind, ...rest]) {
    const { transport, listening } = transports[kind](...rest);
    const told = transport.setProtocolVersion?.bind(transport);
    let version;
    transport.setProtocolVersion = (agreed) => {
      version = agreed;
      told?.(agreed);
    };
    await this.sdk.connect(transport);
    const take = transport.onmessage;
    transport.onmessage = (message, extra) => {
      this.wire.push(message);
      take(message, extra);
    };
    await listening;
    this.sdk.onclose = () => (this.closed = true);
    transport._process?.once("exit", (code, signal) => (this.ended = { code, signal }));
    return {
      server: this.sdk.getServerVersion(),
      capabilities: this.sdk.getServerCapabilities(),
      instructions: this.sdk.getInstructions(),
      protocol_version: version,
    };
  }

  async close() {
    this.sdk.onerror = undefined; // a stream that is cut off here is no fault
    await this.sdk.close();
  }
}

const transports = {
  sse: (url) => ({ transport: new SSEClientTransport(new URL(url)) }),
  http: (url) => {
    // What a server says outside of answers comes by a GET that the SDK makes after the handshake and waits for in
    // no way; without this a notification could be there before the stream that carries it.
    let listens;
    const listening = new Promise((resolve) => (listens = resolve));
    const watched = async (target, init) => {
      const response = await fetch(target, init);
      if (init?.method === "GET") listens();
      return response;
    };
    return { transport: new StreamableHTTPClientTransport(new URL(url), { fetch: watched }), listening };
  },
  stdio: (command, ...args) => ({ transport: new StdioClientTransport({ command, args, env: process.env }) }),
};

const operations = {
  tools: ({ sdk }) => sdk.listTools(),
  prompts: ({ sdk }) => sdk.listPrompts(),
  resources: ({ sdk }) => sdk.listResources(),
  resource_templates: ({ sdk }) => sdk.listResourceTemplates(),
  ping: ({ sdk }) => sdk.ping(),
  prompt: ({ sdk }, { name, arguments: given }) => sdk.getPrompt({ name, arguments: given }),
  read: ({ sdk }, { uri }) => sdk.readResource({ uri }),
  subscribe: ({ sdk }, { uri }) => sdk.subscribeResource({ uri }),
  log_level: ({ sdk }, { level }) => sdk.setLoggingLevel(level),
  unsubscribe: ({ sdk }, { uri }) => sdk.unsubscribeResource({ uri }),

  /** The first JSON block of a tool's description, which is all that a fresh agent knows. */
  async example({ sdk }, { tool }) {
    const { tools } = await sdk.listTools();
    const { description } = tools.find(({ name }) => name === tool);
    return JSON.parse(/```json\n([^]*?)```/.exec(description)[1]);
  },

  /**
   * A tool's result, with the progress that was heard while it ran, and the progress that was sent before the answer.
   * That can be more: what arrives together with the answer this SDK no longer hands out, but complains of.
   */
  async call({ sdk, wire }, { name, arguments: given, progress }) {
    const heard = [];
    const options = progress ? { onprogress: (step) => heard.push(step) } : {};
    const begin = wire.length;
    const result = await sdk.callTool({ name, arguments: given }, undefined, options);
    const came = wire.slice(begin);
    const before = came.slice(0, came.findIndex((message) => "result" in message));
    const sent = before.filter(({ method }) => method === "notifications/progress").map(({ params }) => params);
    return { ...result, heard, sent };
  },

  /** opcode.status of a run once it is no longer active. */
  async settled({ sdk }, { workflow_id }) {
    const until = Date.now() + WITHIN;
    for (;;) {
      const result = await sdk.callTool({ name: "opcode.status", arguments: { workflow_id } });
      if (result.structuredContent?.status !== "active" || Date.now() > until) return result;
      await sleep(20);
    }
  },

  /** Whether the connection is closed, by the other end, once it has been told to stop. */
  async stopped(session, { pid }) {
    process.kill(pid, "SIGTERM");
    const until = Date.now() + WITHIN;
    while (!session.closed && Date.now() < until) await sleep(10);
    return session.closed;
  },

  /** What the client was told so far, once it is `count` notifications of that method. */
  async told({ told }, { method, count }) {
    const until = Date.now() + WITHIN;
    const of_it = () => told.filter((one) => one.method === method);
    while (of_it().length < count && Date.now() < until) await sleep(10);
    return of_it();
  },
};

/** The operation with earlier results in place; a reference that is all of a string keeps its type. */
function filled(value, results) {
  const found = (path) => path.split(".").reduce((part, key) => part?.[key], results);
  if (typeof value === "string") {
    const whole = /^\{\$([\w.]+)\}$/.exec(value);
    return whole ? found(whole[1]) : value.replace(/\{\$([\w.]+)\}/g, (_, path) => found(path));
  }
  if (Array.isArray(value)) return value.map((one) => filled(one, results));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, results)]));
}

async function perform(operation, sessions, results, where) {
  const { do: what, as, client = "main", ...rest } = filled(operation, results);
  try {
    if (what === "connect") sessions[client] = new Session(rest);
    const session = sessions[client];
    results[as ?? what] = what === "connect" ? await session.connect(where) : await operations[what](session, rest);
  } catch (error) {
    results[as ?? what] = { thrown: { code: error.code ?? null, message: error.message } };
  }
}

async function main() {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const [sessions, results] = [{}, {}];
  for (const one of JSON.parse(text)) {
    await Promise.all([one].flat().map((each) => perform(each, sessions, results, process.argv.slice(2))));
  }
  const entries = Object.entries(sessions);
  await Promise.all(entries.map(([, session]) => session.close()));
  const seen = entries.map(([name, { told, asked, complaints, ended }]) => [name, { told, asked, complaints, ended }]);
  process.stdout.write(JSON.stringify({ results, clients: Object.fromEntries(seen) }));
}

await main();
