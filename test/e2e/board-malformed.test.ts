import { describe, expect, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { add, BOARD } from "../support/board.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { BOARDS, MALFORMED_BOARDS, occupyBoards } from "./support/malformed-boards.ts";

const { createBoard, listBoards, listCards } = BoardService.method;

const WIRES: readonly (readonly [name: string, open: (server: TestServer) => ContractClient])[] = [
  ["gRPC", (server) => server.grpc()],
  ["Connect", (server) => server.connect({ protocol: "connect", httpVersion: "2" })],
  ["Connect with JSON", (server) => server.connect({ protocol: "connect-json", httpVersion: "1.1" })],
];

/** All boards and their cards, without what passes with time. */
async function stateOf(client: ContractClient): Promise<unknown> {
  const { boards } = await client.call(listBoards, {});
  const cards = await Promise.all(boards.map(({ name }) => client.call(listCards, { board: name })));
  return {
    boards: boards.map(({ status, stages, ...board }) => ({
      ...board,
      sequence: status?.sequence,
      stages: stages.map(({ status: stage, ...config }) => ({
        ...config,
        cards: stage?.cards,
        pullers: stage?.pullers,
      })),
    })),
    cards: cards.flatMap((page) => page.cards.map(({ age, stageAge, ...card }) => card)),
  };
}

describe.each(WIRES)("over %s", (_name, open) => {
  test("each malformed request gets the code, the reason and the fields that are documented, and changes nothing", async () => {
    await using server = await startTestServer(BOARDS);
    const watcher = server.grpc();
    await occupyBoards(watcher);
    const before = await stateOf(watcher);

    const client = open(server);
    const expected: unknown[] = [];
    const actual: unknown[] = [];
    for (const { name, answer, send } of MALFORMED_BOARDS) {
      const failure = await send(client);
      const said = Object.keys(answer).map((part) => [part, failure[part as keyof typeof failure]]);
      expected.push({ name, ...answer });
      actual.push({ name, ...Object.fromEntries(said) });
    }
    expect(actual).toEqual(expected);
    expect(await stateOf(watcher)).toEqual(before);
    expect(server.log.at("error")).toEqual([]);
  });

  test("what is said again in the same words is harmless, and changes nothing", async () => {
    await using server = await startTestServer("");
    const client = open(server);
    const board = { name: BOARD, stages: [{ name: "In" }, { name: "Out", autoPull: false }] };
    const card = { id: "#1", title: "Title", data: '{"a":1}', priority: 3 };
    await client.call(createBoard, { board });
    await add(client, card);
    const before = await stateOf(client);
    for (let i = 0; i < 3; i += 1) {
      await client.call(createBoard, { board });
      await add(client, card);
    }
    expect(await stateOf(client)).toEqual(before);
  });
});
