/** The pipeline of examples/pipeline: three processes, each at work on one stage of a board. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { connect } from "../../src/client/index.ts";
import { type BoardView, watchBoard } from "../support/board-view.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { type Program, startProgram } from "../support/program.ts";
import { startSecured } from "../support/secured.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const FOLDER = new URL("../../examples/pipeline/", import.meta.url);
const CONFIG = readFileSync(new URL("backpressure.yaml", FOLDER), "utf8");
const SELF_IMPORT = fileURLToPath(new URL("../support/self-import.ts", import.meta.url));
const WORKER = fileURLToPath(new URL("worker.ts", FOLDER));
const BOARD = "orders";

interface StartOptions {
  readonly pace?: number;
  readonly concurrency?: number;
  readonly env?: NodeJS.ProcessEnv;
}

function start({ address }: Pick<TestServer, "address">, stage: string, options: StartOptions = {}): Program {
  const { pace = 20, concurrency = 2, env } = options;
  const flags = [`--address=${address}`, `--pace=${pace}`, `--concurrency=${concurrency}`];
  const command = [process.execPath, "--import", SELF_IMPORT, WORKER, stage, ...flags];
  return startProgram(command, { env: { ...process.env, ...env } });
}

async function order(client: ContractClient, id: string, weight: number): Promise<void> {
  const data = JSON.stringify({
    items: [
      { price: 5, weight },
      { price: 7, weight: 1 },
    ],
  });
  await client.call(BoardService.method.addCard, { board: BOARD, card: { id, data } });
}

function areShipped(count: number): (view: BoardView) => boolean {
  return ({ cards }) => [...cards.values()].filter(({ state }) => state === CardState.COMPLETED).length === count;
}

/** The most cards that each stage ever had. */
function createMost(): { look(view: BoardView): void; readonly most: Record<string, number> } {
  const most: Record<string, number> = {};
  return {
    most,
    look({ board }) {
      for (const { name, status } of board.stages) most[name] = Math.max(most[name] ?? 0, status?.cards ?? 0);
    },
  };
}

test("orders go from process to process, too heavy ones go back once, and no stage ever has more than its limit", async () => {
  await using server = await startTestServer(CONFIG);
  const client = server.grpc();
  const { most, look } = createMost();
  const view = await watchBoard(client, { board: BOARD, onMessage: look });
  await using _price = start(server, "Price");
  await using _pack = start(server, "Pack");
  await using ship = start(server, "Ship");
  for (let i = 1; i <= 12; i += 1) await order(client, `order-${i}`, i % 4 === 0 ? 30 : 2);
  await view.until(areShipped(12));

  const results = [...view.cards.values()].map(({ id, result }) => [id, JSON.parse(result)] as const);
  expect(results).toHaveLength(12);
  for (const [id, result] of results) {
    const heavy = Number(id.split("-")[1]) % 4 === 0;
    const label = expect.stringMatching(new RegExp(`^${id} under \\d+$`));
    expect(result).toEqual({ total: 12, weight: heavy ? 31 : 3, parcels: heavy ? 2 : 1, label });
  }
  for (const [stage, limit] of [
    ["Price", 4],
    ["Pack", 3],
    ["Ship", 2],
  ] as const) {
    expect(most[stage]).toBeLessThanOrEqual(limit);
  }
  ship.signal("SIGTERM");
  expect(await ship.ended).toMatchObject({ code: 0, printed: expect.stringContaining("Ship: order-1\n") });
});

test("with no shipper, everything upstream fills up and stops; a killed packer's order is packed by the next", async () => {
  await using server = await startTestServer(CONFIG);
  const client = server.grpc();
  const view = await watchBoard(client, { board: BOARD });
  await using _price = start(server, "Price");
  await using pack = start(server, "Pack", { pace: 3_600_000, concurrency: 1 });
  await order(client, "order-1", 2);
  await pack.until(/^Pack: order-1$/m);
  pack.signal("SIGKILL");
  await using _again = start(server, "Pack");
  for (let i = 2; i <= 10; i += 1) await order(client, `order-${i}`, 2);
  await view.until(({ board }) => board.status?.bottleneck === "Ship" && board.stages[1]?.status?.finished === 4);
  expect(view.board.stages.map(({ status }) => status?.cards)).toEqual([3, 4, 3, 0, 0]);

  await using _ship = start(server, "Ship");
  await view.until(areShipped(10));
  expect(view.board.status?.completedCount).toBe(10n);
});

test("on a secured server, each stage with a credential of another kind, orders are shipped, and a worker without one ships none", {
  timeout: 120_000,
}, async () => {
  await using server = await startSecured(CONFIG);
  const { address, file, options } = server;
  const secured = { address: `https://${address}` };
  const trusting = { BACKPRESSURE_CA_FILE: file("ca.crt") };
  const certificate = { BACKPRESSURE_CERT_FILE: file("worker.crt"), BACKPRESSURE_KEY_FILE: file("worker.key") };
  const token = { BACKPRESSURE_TOKEN_FILE: file("worker.token") };
  await using client = connect(secured.address, { ...options, answerWithin: 30_000 });
  const board = client.board(BOARD);
  await using nobody = start(secured, "Price", { env: trusting });
  await nobody.until(/Unauthenticated/);
  await using _price = start(secured, "Price", { env: { ...trusting, ...certificate } });
  await using _pack = start(secured, "Pack", { env: { ...trusting, ...token } });
  await using ship = start(secured, "Ship", { env: { ...trusting, ...token } });
  await board.add({ id: "order-1", data: JSON.stringify({ items: [{ price: 5, weight: 2 }] }) });
  await ship.until(/^Ship: order-1$/m);
});
