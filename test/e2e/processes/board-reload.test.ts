/** Boards in the configuration file, and what becomes of them when it changes. */

import { expect, test } from "vitest";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { add, boardOf, finish, layoutOf, pulled, queue, stagesOf, work } from "../../support/board.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { startServerProcess } from "../../support/server-process.ts";

const { createBoard, listBoards, updateBoard } = BoardService.method;

const TAKEN_UP = /has changed and is taken up/;
const DECLARED = /boards declared/;

function release(inProgress: number, description = ""): string {
  return `{ name: release, description: "${description}", stages: [
    { name: Backlog }, { name: Ready, kind: QUEUE, wip_limit: 5 }, { name: InProgress, wip_limit: ${inProgress} }, { name: Done }] }`;
}

async function boardsOf(client: ContractClient): Promise<unknown> {
  const { boards } = await client.call(listBoards, {});
  return boards.map(({ name, declared }) => [name, declared]);
}

test("a changed file is taken up by itself: limits change under waiting pullers, boards come and go", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}, { name: empty }]`);
  await server.logged(DECLARED);
  await using client = createGrpcClient(server.address);
  await client.call(createBoard, { board: { name: "by-rpc" } });
  await add(client, "a", "b");
  await work(client, "InProgress");
  const waiting = await queue(client, "InProgress");
  server.configure(`boards: [${release(2)}, { name: new }]`);
  expect(await pulled(waiting)).toMatchObject({ cardId: "b" });
  await server.logged(TAKEN_UP);
  expect(await server.logged(DECLARED)).toMatchObject({ created: ["new"], changed: ["release"], deleted: ["empty"] });
  expect(await boardsOf(client)).toEqual([
    ["by-rpc", false],
    ["new", true],
    ["release", true],
  ]);
});

test("SIGHUP has the file read at once", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  server.configure(`boards: [${release(4, "four at once")}]`);
  server.signal("SIGHUP");
  await server.logged(TAKEN_UP);
  expect(await boardOf(client)).toMatchObject({ description: "four at once", stages: { 2: { wipLimit: 4 } } });
});

test("a board that the file no longer names stays while work stands on it, and is declared no longer", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  await add(client, "a");
  const held = await work(client, "InProgress");
  server.configure("boards: []");
  expect(await server.logged(/these boards stay/)).toMatchObject({ level: 50, boards: ["release"] });
  expect(await boardOf(client)).toMatchObject({ declared: false, etag: "1" });
  await finish(client, held);
  expect(await held.ending).toBeUndefined();
  expect(await layoutOf(client)).toEqual({ Done: ["a"] });
});

test("a declaration that takes away a stage with cards is refused as a whole, and says so; the rest of the file counts", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  await add(client, "a");
  const held = await work(client, "InProgress");
  const without = "{ name: release, description: without, stages: [{ name: Backlog }, { name: Done }] }";
  server.configure(`boards: [${without}, { name: new }]`);
  expect(await server.logged(/these boards stay as they were/)).toMatchObject({ level: 50, boards: ["release"] });
  expect(await boardOf(client)).toMatchObject({ description: "", declared: true, stages: { length: 4 } });
  expect(await boardsOf(client)).toHaveLength(2);
  // With the card gone on, the same file is taken up.
  await finish(client, held);
  server.configure(`boards: [${without}, { name: new }]\nlogging: { level: debug }`);
  expect(await server.logged(DECLARED)).toMatchObject({ changed: ["release"] });
});

test("what was changed by RPC stays so until the declaration changes", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  await client.call(updateBoard, { board: { name: "release", description: "by hand" } });
  server.configure(`boards: [${release(1)}, { name: new }]`);
  await server.logged(TAKEN_UP);
  expect(await boardOf(client)).toMatchObject({ description: "by hand", declared: true });
  server.configure(`boards: [${release(1, "by the file")}, { name: new }]`);
  await server.logged(TAKEN_UP);
  expect(await boardOf(client)).toMatchObject({ description: "by the file" });
});

test("a bad board changes nothing, and each thing that is wrong is named with its place", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  server.configure(`boards:
  - name: release
    stages:
      - name: Backlog
      - name: Work
        wip_limit: 0
      - name: Work
      - { name: Out, limiter: gpu }`);
  expect(await server.logged(/wip_limit/)).toMatchObject({ level: 50, msg: expect.stringContaining(":7:") });
  expect(await server.logged(/stages\[2\]/)).toMatchObject({ level: 50, msg: expect.stringContaining("already") });
  expect(await server.logged(/limiter/)).toMatchObject({ level: 50, msg: expect.stringContaining("WORK stage") });
  await server.logged(/is not taken up/);
  expect((await stagesOf(client)).InProgress).toBeDefined();
  expect(await boardOf(client)).toMatchObject({ etag: "1" });
});

test("a file that declares a board with a stage's limiter below it works with both, whichever comes first", async () => {
  await using server = await startServerProcess(`
boards: [{ name: release, stages: [{ name: In }, { name: Train, limiter: gpu }, { name: Out }] }]
limiters: [{ name: gpu, max_concurrent: 1 }]`);
  await using client = createGrpcClient(server.address);
  await add(client, "a", "b");
  await work(client, "Train");
  const waiting = await queue(client, "Train");
  expect(waiting.kinds).not.toContain("pulled");
  server.configure("boards: []\nlimiters: [{ name: gpu, max_concurrent: 2 }]");
  expect(await pulled(waiting)).toMatchObject({ cardId: "b" });
});

test("a stage that the file renames keeps its cards, however long the file says so", async () => {
  const board = (stages: string) =>
    `boards: [{ name: release, stages: [{ name: Backlog }, ${stages}, { name: Done }] }]`;
  await using server = await startServerProcess(board("{ name: Work, wip_limit: 2 }"));
  await using client = createGrpcClient(server.address);
  await add(client, "a");
  await work(client, "Work");
  server.configure(board("{ name: Build, renamed_from: Work, wip_limit: 3 }"));
  await server.logged(TAKEN_UP);
  expect(await server.logged(DECLARED)).toMatchObject({ changed: ["release"] });
  expect(await layoutOf(client)).toEqual({ Build: ["a"] });
  expect(await boardOf(client)).toMatchObject({ stages: { 1: { wipLimit: 3 } } });
  // The old name is free for a new stage, and nothing is renamed again.
  server.configure(board("{ name: Build, renamed_from: Work, wip_limit: 4 }, { name: Work }"));
  await server.logged(TAKEN_UP);
  expect(await layoutOf(client)).toEqual({ Build: ["a"] });
  server.configure(board("{ name: Build, renamed_from: Work, wip_limit: 5 }, { name: Work }"));
  await server.logged(TAKEN_UP);
  expect(await layoutOf(client)).toEqual({ Build: ["a"] });
  // A chain: each takes the name that the next one has left.
  server.configure(board("{ name: Make, renamed_from: Build }, { name: Build, renamed_from: Work }"));
  await server.logged(TAKEN_UP);
  expect(await layoutOf(client)).toEqual({ Make: ["a"] });
  server.configure(board("{ name: Make, renamed_from: Build }, { name: Build, renamed_from: Make }"));
  expect(await server.logged(/renamed_from/)).toMatchObject({ msg: expect.stringContaining("circle") });
});

test("what was refused of a file is tried again on SIGHUP, and the log says why it was", async () => {
  await using server = await startServerProcess(`boards: [${release(1)}]`);
  await using client = createGrpcClient(server.address);
  await add(client, "a");
  const held = await work(client, "InProgress");
  server.configure("boards: [{ name: release, stages: [{ name: Backlog }, { name: Done }] }]");
  const refused = await server.logged(/these boards stay as they were/);
  expect(refused).toMatchObject({ why: [expect.stringContaining('stage "InProgress" of board "release"')] });
  await finish(client, held);
  server.signal("SIGHUP");
  await server.logged(/is tried again/);
  expect(await server.logged(DECLARED)).toMatchObject({ changed: ["release"] });
});
