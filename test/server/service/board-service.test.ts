import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createEmbeddedBoardEngine } from "../../../src/server/engine/embedded/embedded-board-engine.ts";
import type { Engine, StreamListener, StreamNews } from "../../../src/server/engine/engine.ts";
import {
  TryPullCardRequestSchema,
  type TryPullCardResponse,
} from "../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import { createIds } from "../../../src/server/ids.ts";
import { createBoardService } from "../../../src/server/service/board-service.ts";
import { createMemoryStore } from "../../../src/server/store/memory-store.ts";
import { alwaysThere } from "../../support/always-there.ts";
import { callOf } from "../../support/call-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { boardOf, contentOf, queue, work } from "../machine/board/boards.ts";

/** A board whose stage of work has a limiter that thinks for as long as the test likes. */
function setUp() {
  const clock = createFakeClock();
  const asked: StreamListener[] = [];
  const listeners: StreamListener[] = [];
  const limiters = {
    openStream: (hear) => listeners.push(hear),
    closeStream: () => {},
    submit: (command) => {
      const hear = listeners.at(-1);
      if (command.kind === "acquire" && hear !== undefined) asked.push(hear);
    },
  } satisfies Pick<Engine, "openStream" | "closeStream" | "submit"> as Partial<Engine> as Engine;
  const boards = createEmbeddedBoardEngine({ clock, store: createMemoryStore(), limiters });
  const stages = [queue("In"), work("Train", 1, { limiter: "gpu" }), queue("Out")];
  boards.submit({ kind: "create-board", config: boardOf({ stages }) }, () => {}, alwaysThere);
  boards.submit({ kind: "add-card", board: "b", id: "a", content: contentOf() }, () => {}, alwaysThere);
  const { service } = createBoardService({ clock, ids: createIds(), boards, heartbeat: () => 5_000_000 });
  const method = service.methods.find(({ descriptor }) => descriptor.localName === "tryPullCard");
  const tryPull = async (requestId: string) => {
    if (method?.kind !== "unary") throw new Error("there is no TryPullCard");
    const request = create(TryPullCardRequestSchema, { board: "b", stage: "Train", requestId });
    return (await method.handle(request, { ...callOf(), onGone() {} })) as TryPullCardResponse;
  };
  return { asked, tryPull };
}

test("a TryPullCard that is said again while the limiter thinks is answered, and so is the second", async () => {
  const { asked, tryPull } = setUp();
  const requestId = "0123456789abcdef";
  const first = tryPull(requestId);
  const second = tryPull(requestId);
  await expect(first).rejects.toMatchObject({
    code: 10,
    details: expect.arrayContaining([
      expect.objectContaining({ value: expect.objectContaining({ reason: "WAITER_DISPLACED" }) }),
    ]),
  });
  expect(asked).toHaveLength(2);
  asked[1]?.({ kind: "granted" } as StreamNews, "");
  expect((await second).result).toMatchObject({ case: "pulled", value: { card: { id: "a" } } });
});
