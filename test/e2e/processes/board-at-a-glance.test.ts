/** A board through grpcurl, as an engineer on call looks at it with nothing else at hand. */

import { expect, test } from "vitest";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { DEFAULT_CONFIG } from "../../../src/server/config/default-config.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { grpcurl, requireGrpcurl } from "../../support/grpcurl.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const { addCard, blockCard, finishCard, tryPullCard } = BoardService.method;
const board = "default";

async function call({ address }: TestServer, method: string, request: unknown): Promise<unknown> {
  const { stdout, stderr, code } = await grpcurl([
    "-d",
    JSON.stringify(request),
    address,
    `${BoardService.typeName}/${method}`,
  ]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function pull(client: ContractClient, stage: string, worker: string): Promise<string> {
  const { result } = await client.call(tryPullCard, { board, stage, worker });
  if (result.case !== "pulled") throw new Error(result.value?.message);
  return result.value.card?.id ?? "";
}

/** Two are in review, one of them blocked; three are finished before it; five stand ready, and two behind them. */
async function fill(client: ContractClient): Promise<void> {
  for (let i = 1; i <= 12; i += 1) await client.call(addCard, { board, card: { id: `#${i}`, title: `Task ${i}` } });
  for (let i = 0; i < 5; i += 1) {
    await client.call(finishCard, { board, cardId: await pull(client, "InProgress", "ann") });
    if (i < 2) await pull(client, "Review", "bob");
  }
  await client.call(blockCard, { board, cardId: "#2", reason: "the staging cluster is down" });
}

test("GetBoard shows the stages in order, what is in each, the figures, and where it is stuck", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(DEFAULT_CONFIG);
  await fill(server.grpc());
  const duration = expect.stringMatching(/^\d+(\.\d+)?s$/);
  expect(await call(server, "GetBoard", { name: board })).toMatchObject({
    board: {
      name: board,
      declared: true,
      stages: [
        { name: "Backlog", kind: "STAGE_KIND_QUEUE", status: { cards: 2, waiting: 2, oldestAge: duration } },
        { name: "Ready", kind: "STAGE_KIND_QUEUE", wipLimit: 5, autoPull: true, status: { cards: 5, waiting: 5 } },
        {
          name: "InProgress",
          kind: "STAGE_KIND_WORK",
          wipLimit: 3,
          status: {
            cards: 3,
            finished: 3,
            arrivalRate: 300,
            departureRate: 120,
            cycleTime: { count: "2", mean: duration, p50: duration, p85: duration, p95: duration },
            expectedCards: expect.any(Number),
            oldestAge: duration,
          },
        },
        { name: "Review", kind: "STAGE_KIND_WORK", wipLimit: 2, status: { cards: 2, active: 1, blocked: 1 } },
        { name: "Done", kind: "STAGE_KIND_QUEUE", autoPull: true },
      ],
      status: { cards: 12, blocked: 1, arrivalRate: 720, addedCount: "12", bottleneck: "Review" },
    },
  });
});

test("with its cards it shows each one's worker, since when, and why it is blocked; those at work first", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(DEFAULT_CONFIG);
  await fill(server.grpc());
  const { cards } = (await call(server, "GetBoard", { name: board, cards: true })) as {
    cards: Record<string, unknown>[];
  };
  expect(cards.map(({ id, stage }) => `${id} ${stage}`)).toEqual([
    "#1 Review",
    "#2 Review",
    ...["#3", "#4", "#5"].map((id) => `${id} InProgress`),
    ...["#6", "#7", "#8", "#9", "#10"].map((id) => `${id} Ready`),
    ...["#11", "#12"].map((id) => `${id} Backlog`),
  ]);
  expect(cards[0]).toMatchObject({
    title: "Task 1",
    state: "CARD_STATE_ACTIVE",
    lease: { worker: "bob", live: true, pullTime: expect.any(String) },
    age: expect.stringMatching(/s$/),
    stageAge: expect.stringMatching(/s$/),
  });
  expect(cards[1]).toMatchObject({ state: "CARD_STATE_BLOCKED", reason: "the staging cluster is down" });
});

test("a thousand completed cards hide none that is at work, nor any other that is open", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(`
boards:
  - name: default
    keep_completed: 1000
    stages: [{ name: In }, { name: Work }, { name: Out }]`);
  const client = server.grpc();
  const finish = async (cardId: string) => {
    await client.call(addCard, { board, card: { id: cardId } });
    await client.call(tryPullCard, { board, stage: "Work", cardId });
    await client.call(finishCard, { board, cardId });
  };
  for (let i = 1; i <= 1_000; i += 1) await finish(`done-${i}`);
  for (const id of ["a", "b", "c"]) await client.call(addCard, { board, card: { id } });
  await pull(client, "Work", "ann");
  const { cards } = (await call(server, "GetBoard", { name: board, cards: true })) as { cards: { id: string }[] };
  expect(cards).toHaveLength(1_000);
  expect(cards.slice(0, 4).map(({ id }) => id)).toEqual(["a", "b", "c", "done-1000"]);
});

test("a person works with nothing but grpcurl: adds, pulls, finishes, and is answered what is wrong", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(DEFAULT_CONFIG);
  await call(server, "AddCard", { board, card: { id: "#1", title: "Fix the login" } });
  expect(await call(server, "TryPullCard", { board, stage: "InProgress", worker: "ann" })).toMatchObject({
    pulled: { card: { id: "#1", stage: "InProgress", lease: { worker: "ann" } } },
  });
  expect(await call(server, "FinishCard", { board, card_id: "#1" })).toMatchObject({
    card: { state: "CARD_STATE_FINISHED" },
  });
  expect(await call(server, "TryPullCard", { board, stage: "InProgress" })).toMatchObject({
    none: {
      reason: "REASON_NO_CARD",
      message: expect.stringContaining('there is no card to pull into stage "InProgress"'),
    },
  });
  await expect(call(server, "GetBoard", { name: "defualt" })).rejects.toThrow(/NotFound.*there is no board "defualt"/s);
  await expect(call(server, "TryPullCard", { board, stage: "Inprogress" })).rejects.toThrow(
    /NotFound.*there is no stage "Inprogress" of board "default"; GetBoard says which stages it has/s,
  );
});
