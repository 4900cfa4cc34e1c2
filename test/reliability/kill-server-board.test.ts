/** The server is killed while a pipeline works: no stage above its limit, no card lost, each done once, by the pull that began it. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import type { Begun } from "./support/pipeline-process.ts";
import { openRecord } from "./support/record.ts";
import { inTier } from "./support/tier.ts";

const KILLS = inTier({ C: 10, N: 200 });
const CARDS_A_KILL = 30;
const STAGES = [
  { name: "Build", limit: 4 },
  { name: "Test", limit: 2 },
] as const;
const BOARD = `boards: [{ name: b, ttl: 30s, max_attempts: 50, keep_completed: 100000, stages: [{ name: In }, ${STAGES.map(
  ({ name, limit }) => `{ name: ${name}, wip_limit: ${limit} }`,
).join(", ")}, { name: Out }] }]\n`;
const SCRIPT = fileURLToPath(new URL("support/pipeline-process.ts", import.meta.url));

test(`${KILLS} kills under a pipeline of two stages: limits hold, work goes on with its token, and each card is done once`, {
  timeout: KILLS * 30_000,
  retry: 0,
}, async () => {
  const record = openRecord("kill-server-board");
  await using server = await startRestartingServer(BOARD);
  const workers = STAGES.flatMap(({ name }) =>
    [1, 2].map(() => fork(SCRIPT, [server.address, "b", name, "2"], { execArgv: [] })),
  );
  /** The tokens under which workers began each card in each stage. A watch shows pulls, too, that a crash undoes: no worker has them. */
  const tokens = new Map<string, Set<string>>();
  for (const worker of workers) {
    worker.on("message", ({ id, stage, token }: Begun) => tokensOf(tokens, id, stage).add(token));
  }
  const exits = workers.map((worker) => once(worker, "exit"));
  await using client = connect(server.address, { answerWithin: 30_000 });
  const board = client.board("b");
  const over = new AbortController();
  const most: Record<string, number> = {};
  const done = new Set<string>();
  let onDone = () => {};
  const watching = (async () => {
    for await (const { board: seen, cards } of board.watch({ signal: over.signal })) {
      for (const { name, status } of seen.stages) most[name] = Math.max(most[name] ?? 0, status.cards);
      for (const { id, state } of cards.values()) if (state === "completed") done.add(id);
      onDone();
    }
  })().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });

  let added = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    for (let i = 0; i < CARDS_A_KILL; i += 1, added += 1) await board.add({ id: `card-${added}`, title: "work" });
    await new Promise<void>((resolve) => {
      const wanted = done.size + Math.ceil(Math.random() * CARDS_A_KILL * 0.5);
      onDone = () => {
        if (done.size >= wanted || done.size >= added) resolve();
      };
      onDone();
    });
    await server.crash();
    await server.start();
  }
  await new Promise<void>((resolve) => {
    onDone = () => {
      if (done.size === added) resolve();
    };
    onDone();
  });

  const results = new Map<string, readonly Done[]>();
  for await (const card of board.list()) results.set(card.id, JSON.parse(card.result));
  over.abort();
  await watching;
  for (const worker of workers) worker.send("stop");
  await Promise.all(exits);
  record({ figure: "cards", value: added, unit: "cards" });
  record({ figure: "kills", value: KILLS, unit: "kills" });
  for (const { name, limit } of STAGES) {
    record({ figure: `most cards in ${name}`, value: most[name] ?? 0, unit: `of ${limit}` });
    expect(most[name]).toBeLessThanOrEqual(limit);
  }
  expect(results.size).toBe(added);
  // Done twice, a stage would stand in it twice. A lost card would be worked on under a second token, as a second attempt.
  for (const [id, result] of results) {
    expect(result).toEqual(STAGES.map(({ name }) => ({ stage: name, token: expect.any(String), attempt: 1 })));
    for (const { stage, token } of result) {
      expect([id, stage, ...tokensOf(tokens, id, stage)]).toEqual([id, stage, token]);
    }
  }
});

interface Done {
  readonly stage: string;
  readonly token: string;
  readonly attempt: number;
}

function tokensOf(tokens: Map<string, Set<string>>, id: string, stage: string): Set<string> {
  const key = `${id} ${stage}`;
  const known = tokens.get(key);
  if (known !== undefined) return known;
  const none = new Set<string>();
  tokens.set(key, none);
  return none;
}
