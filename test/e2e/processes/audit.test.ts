/** What operators do with a server with transport workers is written down, one line behind the other, over restarts, and a changed file is found. */

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { digestOf } from "../../../src/server/auth/static-tokens.ts";
import { cli } from "../../cli/support/cli.ts";
import { type Bug, withBugs } from "../../reliability/support/bug.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { createTlsFolder } from "../../support/tls-folder.ts";
import { LINES_AT_ONCE } from "../support/audit-bug.ts";

const { createLimiter, updateLimiter, deleteLimiter, revokeLease, cancelWaiter, listWaiters } = LimiterService.method;
const { createBoard, updateBoard, deleteBoard, addCard, deleteCard } = BoardService.method;
const { tryAcquire } = AdmissionService.method;

const tokenOf = (name: string) => `bp_${name}_${randomBytes(32).toString("base64url")}`;
const TOKENS = { ann: tokenOf("ann"), worker: tokenOf("worker") };
const by = (name: keyof typeof TOKENS) => ({ headers: { authorization: `Bearer ${TOKENS[name]}` } });

function yamlOf(path: string, permits: number): string {
  const all = { limiters: ["*"], boards: ["*"] };
  const fields = {
    workers: 2,
    audit: { file: path },
    limiters: [{ name: "db", max_concurrent: permits }],
    auth: {
      tokens: Object.entries(TOKENS).map(([name, token]) => ({ name, sha256: [digestOf(token).toString("hex")] })),
    },
    access: [
      { who: ["token:ann"], may: ["acquire", "observe", "operate"], ...all },
      { who: ["token:worker"], may: ["acquire"], ...all },
    ],
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join("");
}

type Line = Readonly<Record<string, unknown>>;

function linesOf(path: string): readonly Line[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Does once what operators do. */
async function operate(address: string): Promise<void> {
  await using client = createGrpcClient(address);
  const ann = by("ann");
  await client.call(createLimiter, { limiter: { name: "made", maxConcurrent: 1 } }, ann);
  await client.call(
    updateLimiter,
    { limiter: { name: "made", maxConcurrent: 2 }, updateMask: { paths: ["max_concurrent"] } },
    ann,
  );
  const { result } = await client.call(
    tryAcquire,
    { claims: [{ limiter: "made", permits: 2 }], ttl: { seconds: 60n } },
    ann,
  );
  if (result.case !== "granted") throw new Error("no lease");
  const waiter = client.open(AdmissionService.method.acquire, { claims: [{ limiter: "made" }] }, ann);
  await expect.poll(async () => (await client.call(listWaiters, { limiter: "made" }, ann)).waiters.length).toBe(1);
  const [waiting] = (await client.call(listWaiters, { limiter: "made" }, ann)).waiters;
  await client.call(cancelWaiter, { waiterId: waiting?.id ?? "" }, ann);
  await waiter.ending;
  await client.call(revokeLease, { leaseId: result.value.lease?.id ?? "", force: true }, ann);
  await client.call(deleteLimiter, { name: "made", force: true }, ann);
  const stages = [{ name: "todo" }, { name: "doing" }, { name: "done" }];
  await client.call(createBoard, { board: { name: "made", stages } }, ann);
  await client.call(
    updateBoard,
    { board: { name: "made", description: "new" }, updateMask: { paths: ["description"] } },
    ann,
  );
  await client.call(addCard, { board: "made", card: { id: "card" } }, ann);
  await client.call(deleteCard, { board: "made", cardId: "card" }, ann);
  await client.call(deleteBoard, { name: "made", force: true }, ann);
  await expect(client.call(deleteLimiter, { name: "db" }, by("worker"))).rejects.toThrow();
}

const operated = (what: string, more: object = {}) => ({ event: "operate", caller: "token:ann", what, ...more });
const ACTS = [
  operated("create-limiter", { of: "limiter/made", new: expect.objectContaining({ max_concurrent: 1 }) }),
  operated("update-limiter", {
    old: expect.objectContaining({ max_concurrent: 1 }),
    new: expect.objectContaining({ max_concurrent: 2 }),
  }),
  operated("cancel-waiter"),
  operated("revoke", { force: true }),
  operated("delete-limiter", { of: "limiter/made", old: expect.objectContaining({ max_concurrent: 2 }), force: true }),
  operated("create-board", { of: "board/made", new: expect.anything() }),
  operated("update-board", { old: expect.anything(), new: expect.objectContaining({ description: "new" }) }),
  operated("delete-card"),
  operated("delete-board", { of: "board/made", old: expect.anything(), force: true }),
  { event: "denied", caller: "token:worker" },
];

/** Acts that were not refused: of changes at once, one that finds what it did not expect is refused, and tried once more. */
function doneIn(path: string): readonly Line[] {
  const lines = linesOf(path);
  const refused = new Set(lines.flatMap(({ event, line }) => (event === "refused" ? [line] : [])));
  return lines.filter(({ event, seq }) => event === "operate" && !refused.has(seq));
}

const OPERATORS = 8;
const CHANGES = 10;
const ALL_CHANGES = Array.from(
  { length: OPERATORS * CHANGES },
  (_, index) => `${Math.floor(index / CHANGES)}/${index % CHANGES}`,
).toSorted();

describe("the audit file of a server with transport workers", () => {
  test("has each act with old and new values, denied calls and reloads, chained over restarts; what is changed in it is named", async () => {
    const folder = createTlsFolder();
    const path = join(folder.path, "audit.jsonl");
    for (const starts of [1, 2]) {
      await using server = await startServerProcess(yamlOf(path, 1));
      const before = starts === 1 ? 0 : linesOf(path).length;
      await operate(server.address);
      server.configure(yamlOf(path, 5));
      await server.logged(/has changed and is taken up/);
      await expect.poll(() => linesOf(path).length).toBe(before + ACTS.length + 1);
      expect(linesOf(path).slice(before)).toEqual(
        [...ACTS, { event: "reload", sha256: expect.any(String) }].map((line) => expect.objectContaining(line)),
      );
    }
    const whole = await cli(["audit", "verify", path]);
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringContaining(`${2 * (ACTS.length + 1)} lines`)]);

    const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
    const changed = lines.with(4, (lines[4] ?? "").replace("token:ann", "token:bob"));
    const broken: readonly (readonly [string, string, number])[] = [
      ["a changed byte", changed.join("\n"), 5],
      ["a line that is missing", lines.toSpliced(7, 1).join("\n"), 8],
      [
        "swapped lines",
        lines
          .with(9, lines[10] ?? "")
          .with(10, lines[9] ?? "")
          .join("\n"),
        10,
      ],
      ["a line that was cut", `${lines.slice(0, 12).join("\n")}\n${lines[12]?.slice(0, 40)}`, 13],
    ];
    for (const [name, text, line] of broken) {
      const copy = join(folder.path, "copy.jsonl");
      writeFileSync(copy, `${text}\n`);
      const { code, stdout } = await cli(["audit", "verify", copy]);
      expect([name, code, stdout]).toEqual([name, 1, expect.stringContaining(`${copy}:${line}: `)]);
    }
  }, 60_000);

  /** Operators change one limiter at once, each by connections of its own, while others are refused. */
  async function operateAtOnce(path: string, bugs: readonly Bug[] = []) {
    await using server = await startServerProcess(yamlOf(path, 1), { nodeArguments: withBugs(bugs) });
    const each = Array.from({ length: OPERATORS }, (_, operator) => operator);
    await Promise.all(
      each.map(async (operator) => {
        await using client = createGrpcClient(server.address);
        for (let change = 0; change < CHANGES; change += 1) {
          const description = `${operator}/${change}`;
          const updateMask = { paths: ["description"] };
          const denied = client.call(deleteLimiter, { name: "db" }, by("worker")).catch(() => {});
          await client.call(updateLimiter, { limiter: { name: "db", description }, updateMask }, by("ann"));
          await denied;
        }
      }),
    );
  }

  test("has one line for each of many acts at once, in the order in which they were done", async () => {
    const path = join(createTlsFolder().path, "audit.jsonl");
    await operateAtOnce(path);
    expect((await cli(["audit", "verify", path])).code).toBe(0);
    const acts = doneIn(path);
    const told = acts.map(({ new: made }) => (made as Line).description);
    expect(told.toSorted()).toEqual(ALL_CHANGES);
    // What one finds is what the one before has left.
    expect(acts.map(({ old }) => (old as Line).description)).toEqual([null, ...told.slice(0, -1)]);
    expect(linesOf(path).filter(({ event }) => event === "denied").length).toBeGreaterThan(0);
  });

  test("control: where lines do not wait for one another, the chain is broken", async () => {
    const path = join(createTlsFolder().path, "audit.jsonl");
    await operateAtOnce(path, [LINES_AT_ONCE]);
    expect(await cli(["audit", "verify", path])).toMatchObject({ code: 1 });
  });
});
