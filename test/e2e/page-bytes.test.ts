import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  BoardService,
  GetBoardResponseSchema,
  ListBoardsResponseSchema,
  ListCardsResponseSchema,
  WatchBoardResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  LimiterService,
  ListLeasesResponseSchema,
  ListLimitersResponseSchema,
  ListWaitersResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { queue } from "../support/acquire.ts";
import { startTestServer } from "../support/server.ts";

const ALL = { pageSize: 1_000 };
const MAX_BYTES = 1_050_000;

interface Listing<R extends DescMessage> {
  readonly schema: R;
  readonly read: (pageToken: string) => Promise<MessageShape<R> & { readonly nextPageToken: string }>;
  readonly names: (page: MessageShape<R>) => readonly string[];
}

/** Reads all pages, each of which must be a message that standard clients take, and says what stands on them. */
async function readAll<R extends DescMessage>({ schema, read, names }: Listing<R>): Promise<string[]> {
  const all: string[] = [];
  let pages = 0;
  for (let token = "", more = true; more; more = token !== "") {
    const page = await read(token);
    expect(toBinary(schema, page as MessageShape<R>).length).toBeLessThan(MAX_BYTES);
    all.push(...names(page as MessageShape<R>));
    token = page.nextPageToken;
    pages += 1;
  }
  expect(pages).toBeGreaterThan(1);
  return all;
}

const text = (length: number, start: string | number) => `${start}`.padEnd(length, "x");

test("a page of leases or waiters whose texts are as long as they may be ends after about 1 MB, and none is left out", async () => {
  const limiters = Array.from({ length: 8 }, (_, i) => text(128, i));
  await using server = await startTestServer(`limiters:
${limiters.map((name) => `  - { name: ${name}, keyed: true, max_concurrent: 600 }`).join("\n")}
  - { name: full, keyed: true, max_concurrent: 1 }`);
  const client = server.grpc();
  const key = text(256, "k");
  const claims = limiters.map((limiter) => ({ limiter, key }));
  const ids: string[] = [];
  for (let i = 0; i < 600; i += 1) {
    const { result } = await client.call(AdmissionService.method.tryAcquire, {
      claims,
      holder: text(256, i),
      ttl: { seconds: 300n },
    });
    ids.push(result.case === "granted" ? (result.value.lease?.id ?? "none") : "none");
  }
  expect(
    await readAll({
      schema: ListLeasesResponseSchema,
      read: (pageToken) => client.call(LimiterService.method.listLeases, { ...ALL, pageToken }),
      names: ({ leases }) => leases.map(({ id }) => id),
    }),
  ).toEqual(ids);
  const holders = Array.from({ length: 450 }, (_, i) => text(256, i));
  for (const holder of holders) await queue(client, { claims, holder });
  expect(
    await readAll({
      schema: ListWaitersResponseSchema,
      read: (pageToken) =>
        client.call(LimiterService.method.listWaiters, { limiter: limiters[0] as string, ...ALL, pageToken }),
      names: ({ waiters }) => waiters.map(({ holder }) => holder),
    }),
  ).toEqual(holders);
});

test("a page of limiters or boards whose texts are as long as they may be ends after about 1 MB, and none is left out", async () => {
  await using server = await startTestServer("limiters: []");
  const client = server.grpc();
  const names = Array.from({ length: 900 }, (_, i) => text(128, 1_000 + i));
  const description = "字".repeat(341);
  for (const name of names) {
    await client.call(LimiterService.method.createLimiter, {
      limiter: { name, description, maxRps: 10, maxConcurrent: 3 },
    });
  }
  expect(
    await readAll({
      schema: ListLimitersResponseSchema,
      read: (pageToken) => client.call(LimiterService.method.listLimiters, { ...ALL, pageToken }),
      names: ({ limiters }) => limiters.map(({ name }) => name),
    }),
  ).toEqual(names);
  const boards = names.slice(0, 200);
  const stages = Array.from({ length: 32 }, (_, i) => ({
    name: text(64, i),
    limiter: i > 0 && i < 31 ? names[0] : "",
  }));
  for (const name of boards) {
    await client.call(BoardService.method.createBoard, { board: { name, description, stages } });
  }
  expect(
    await readAll({
      schema: ListBoardsResponseSchema,
      read: (pageToken) => client.call(BoardService.method.listBoards, { ...ALL, pageToken }),
      names: (page) => page.boards.map(({ name }) => name),
    }),
  ).toEqual(boards);
});

test.each([
  ["Latin letters", "x".repeat(65_536)],
  ["Chinese", "字".repeat(21_845)],
  ["emoji", "😀".repeat(16_384)],
])(
  "a message with cards whose texts are as long as they may be, in %s, is about 1 MB, and none is left out",
  async (_, data) => {
    await using server = await startTestServer("boards: [{ name: b }]");
    const client = server.grpc();
    const ids = Array.from({ length: 40 }, (_, i) => text(128, 100 + i));
    for (const id of ids) await client.call(BoardService.method.addCard, { board: "b", card: { id, title: id, data } });
    expect(
      await readAll({
        schema: ListCardsResponseSchema,
        read: (pageToken) => client.call(BoardService.method.listCards, { board: "b", ...ALL, pageToken }),
        names: (page) => page.cards.map(({ id }) => id),
      }),
    ).toEqual(ids);
    const glance = await client.call(BoardService.method.getBoard, { name: "b", cards: true });
    expect(toBinary(GetBoardResponseSchema, glance).length).toBeLessThan(MAX_BYTES);
    expect(glance.cards.length).toBeGreaterThan(10);

    const stream = client.open(BoardService.method.watchBoard, { name: "b" });
    const seen: string[] = [];
    while (seen.length < ids.length) {
      const message = await stream.next();
      expect(toBinary(WatchBoardResponseSchema, message).length).toBeLessThan(MAX_BYTES);
      seen.push(...(message.event.value?.cards ?? []).map(({ id }) => id));
    }
    expect(seen).toEqual(ids);
  },
);
