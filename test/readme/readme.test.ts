/** The README and the pages on boards and on request paths are run as they stand: each fenced block that has a name, against the server that the first starts. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireGrpcurl } from "../support/grpcurl.ts";
import type { Program } from "../support/program.ts";
import { BOARD_RUNNERS } from "./support/board-runners.ts";
import { showsDashboard } from "./support/dashboard.ts";
import { type Runner, readFences } from "./support/fences.ts";
import {
  onPortsOfOurs,
  run,
  runProgram,
  save,
  serverEnvironment,
  start,
  startOnTerminal,
  startTypeScript,
} from "./support/newcomer.ts";

const SNIPPETS = ["README.md", "docs/boards.md", "docs/request-path.md"]
  .flatMap((page) => readFences(readFileSync(new URL(`../../${page}`, import.meta.url), "utf8")))
  // What is typed in another project, `installed.test.ts` types there.
  .filter(({ name }) => name !== "" && name !== "installed");

const RUNNERS: Readonly<Record<string, Runner>> = {
  ...BOARD_RUNNERS,

  async start() {
    const [line] = await server.until(/^backpressure serves gRPC on .*$/m);
    expect(line).toBe(
      onPortsOfOurs("backpressure serves gRPC on 127.0.0.1:50051, Connect and gRPC-Web on http://127.0.0.1:8080"),
    );
    await showsDashboard(onPortsOfOurs("http://127.0.0.1:8080/"));
  },

  async grpcurl(text, context) {
    requireGrpcurl(context);
    await using first = start(text);
    await first.until(/"granted"/);
    await using second = start(text);
    await second.until(/"waiting"/);
    first.signal("SIGINT");
    await second.until(/"granted"/);
  },

  async curl(text) {
    expect(JSON.parse(await run(text))).toMatchObject({ granted: { lease: { ttl: "1s" } } });
  },

  async client(text) {
    expect(await runProgram(text)).toMatch(/^holding \S+; stop when lease\.signal aborts$/m);
  },

  async run(text) {
    expect(await run(text)).toBe("one at a time\n");
  },

  async config(text) {
    const path = save("backpressure.yaml", text);
    expect(await run(`npm run -s backpressure -- check '${path}'`)).toBe(`${path} is valid: 3 limiters\n`);
  },

  async api(text) {
    expect((await runProgram(text)).split("\n")).toEqual([
      expect.stringMatching(/^worked under fencing token \d+$/),
      "holding 2 claims",
      "CLAIM_EXCEEDS_LIMIT",
      "",
    ]);
  },

  async board(text) {
    expect(await runProgram(text)).toBe("Write the parser, attempt 1\n");
  },

  async "in-process"(text) {
    expect(await runProgram(text)).toBe("1 of 5 in flight\n");
  },

  async outage(text) {
    expect(await runProgram(text)).toBe("outage-began\nadmitted-without-server\nadmitted by: local\n");
  },

  async limit(text) {
    expect(await runProgram(text)).toBe("2\ntrue\n[ 2, 4, 6 ]\n42\n");
  },

  async middleware(text) {
    await using service = startTypeScript(text);
    await service.until(/listening/);
    const answer = await fetch(onPortsOfOurs("http://127.0.0.1:3000/orders"));
    expect(await answer.text()).toMatch(/^under lease \S+\n$/);
    expect(answer.status).toBe(200);
  },

  async "grpcurl-ops"(text, context) {
    requireGrpcurl(context);
    const said = await run(text);
    for (const part of [
      "ggen.backpressure.v1.AdmissionService",
      "rpc CreateLimiter",
      '"name": "sample"',
      '"status": "SERVING"',
    ]) {
      expect(said).toContain(part);
    }
  },
};

let server: Program;
/** The commands that the server suggests when it starts. */
let suggestions: string;

beforeAll(async () => {
  const text = SNIPPETS.find(({ name }) => name === "start")?.text ?? "";
  // What `npm ci` brings is what runs this.
  server = startOnTerminal(text.replace(/^npm ci\n/, ""), serverEnvironment());
  [, suggestions = ""] = await server.until(/^try, in another terminal:\s+((?: {2}.+\s+)+)Ctrl-C/m);
});

afterAll(() => server?.[Symbol.asyncDispose]());

test("each block that has a name is run here, and the first lines are those that start the server", () => {
  expect(SNIPPETS.map(({ name }) => name).toSorted()).toEqual(Object.keys(RUNNERS).toSorted());
  expect(SNIPPETS[0]).toEqual({ language: "sh", name: "start", text: "npm ci\nnpm start\n" });
});

describe("the block", () => {
  test.for(SNIPPETS)("$name does what is said of it", ({ name, text }, context) => RUNNERS[name]?.(text, context));
});

test("the commands that the server suggests when it starts work as they are", async (context) => {
  const [hold = "", watch = "", acquire = "", ...others] = suggestions.trim().split(/\s*\n\s*/);
  expect(others).toEqual([]);
  expect(await run(hold)).toBe("one at a time\n");
  await using look = start(watch);
  await look.until(/^sample: /m);
  requireGrpcurl(context);
  await using holder = start(acquire);
  await holder.until(/"granted"/);
});
