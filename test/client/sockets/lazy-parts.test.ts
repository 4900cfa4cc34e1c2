/** Parts of the client that are loaded when they are first used: all that holds in Node holds for them, too. */

import { expect, test, vi } from "vitest";
import type { Limiters } from "../../../src/client/api/limiters.ts";
import { lazily, loadOnce } from "../../../src/client/lazily.ts";
import { createLazyBoardClient, LAZY_PARTS } from "../../../src/client/lazy-parts.ts";
import type { SitedBoardClient } from "../../../src/client/resources/board-client.ts";
import { createLimiters } from "../../../src/client/resources/limiters.ts";
import { openBoards } from "../../../src/client/resources/open-boards.ts";
import type { BoardPart, Parts } from "../../../src/client/resources/parts.ts";
import { createFixture, settle, useParts } from "../support/client-fixture.ts";
import { createFakePage } from "../support/fake-page.ts";
import { pulledEvent } from "../support/pulled-card.ts";

useParts(LAZY_PARTS);
await import("../board-cards.test.ts");
await import("../board-pull.test.ts");
await import("../board-watch.test.ts");
await import("../board-work.test.ts");
await import("../board-work-loop.test.ts");
await import("./boards.test.ts");
await import("../limiters.test.ts");

test("a part that cannot be loaded fails the call in words, and is loaded again for the next", async () => {
  const failure = new TypeError("Failed to fetch dynamically imported module: https://app.example.com/boards-1.js");
  const loaded = { get: async (name: string) => `got ${name}` };
  const answers = [Promise.reject(failure), Promise.resolve(loaded)];
  let loads = 0;
  const load = loadOnce("boards", () => answers[loads++] ?? Promise.reject(new Error("loaded once more")));
  const part = lazily<typeof loaded>(load, { get: "once" });
  await expect(part.get("one")).rejects.toMatchObject({
    message: expect.stringMatching(
      /^the client's part for boards could not be loaded \(Failed to fetch .*boards-1\.js\)/,
    ),
    cause: failure,
  });
  expect(await Promise.all([part.get("two"), part.get("three")])).toEqual(["got two", "got three"]);
  expect(loads).toBe(2);
});

test("a board's part that cannot be loaded is said once, in each of its calls", async () => {
  vi.doMock("../../../src/client/resources/open-boards.ts", () => {
    throw new Error("gone");
  });
  const { client } = createFixture();
  const message = await client
    .board("release")
    .get("card-1")
    .then(String, (error: Error) => error.message);
  vi.doUnmock("../../../src/client/resources/open-boards.ts");
  expect(message.match(/could not be loaded/g)).toHaveLength(1);
});

test("each pull knows where it was called, since the stack is gone when the part is loaded", async () => {
  const sites: string[] = [];
  const parts: Parts = {
    ...LAZY_PARTS,
    openBoards: (options) =>
      LAZY_PARTS.openBoards({ ...options, guard: { watch: (_handle, _leak, site) => sites.push(site), forget() {} } }),
  };
  const { client, service } = createFixture({ parts });
  async function pullAsWorker() {
    return await client.board("release").pull("InProgress");
  }
  const pulling = pullAsWorker();
  (await service.pullCard.next()).say(pulledEvent());
  await pulling;
  expect(sites).toEqual([expect.stringContaining("pullAsWorker")]);
});

test("a loop that is stopped before its part is loaded pulls nothing; a wrong option is refused at once", async () => {
  const { client, service } = createFixture();
  const board = client.board("release");
  expect(() => board.work("InProgress", () => {}, { concurrency: 0 })).toThrow(RangeError);
  await board.work("InProgress", () => {}).stop();
  expect(service.pullCard.untaken).toHaveLength(0);
});

test("a loop whose part is on its way stops at once, by its signal too, whatever becomes of that", async () => {
  const loading = Promise.withResolvers<SitedBoardClient>();
  const controller = new AbortController();
  const { signal } = controller;
  const board = createLazyBoardClient("release", () => loading.promise);
  const stopped = board.work("InProgress", () => {});
  const aborted = board.work("InProgress", () => {}, { signal });
  const going = board.work("InProgress", () => {});
  controller.abort();
  await expect(stopped.stop()).resolves.toBeUndefined();
  await expect(aborted.stopped).resolves.toBeUndefined();
  loading.reject(new Error("no such file"));
  await expect(going.stopped).rejects.toThrow("no such file");
  await expect(stopped.stopped).resolves.toBeUndefined();
});

test("a client that is closed before the part is loaded, and a page that goes away, have nothing to give back", async () => {
  const page = createFakePage();
  const { client, service } = createFixture({ page });
  const pulling = client.board("release").pull("InProgress");
  page.hide();
  await client.close();
  await expect(pulling).rejects.toMatchObject({ name: "ClientClosedError" });
  await settle();
  expect(page.sent).toEqual([]);
  expect(service.pullCard.untaken).toHaveLength(0);
});

test("has each method that the part has", async () => {
  const methods = (part: object) => Object.keys(part).sort();
  const opened: BoardPart[] = [];
  const openedLimiters: Limiters[] = [];
  const parts: Parts = {
    openBoards: (options) => {
      opened.push(openBoards(options));
      return LAZY_PARTS.openBoards(options);
    },
    openLimiters: (ports) => {
      openedLimiters.push(createLimiters(ports));
      return LAZY_PARTS.openLimiters(ports);
    },
  };
  const { client } = createFixture({ parts });
  const [part] = opened;
  const [limiters] = openedLimiters;
  if (part === undefined || limiters === undefined) throw new Error("nothing was opened");
  expect(methods(client.boards)).toEqual(methods(part.boards));
  expect(methods(client.board("release"))).toEqual(methods(part.board("release")));
  expect(methods(client.limiters)).toEqual(methods(limiters));
});
