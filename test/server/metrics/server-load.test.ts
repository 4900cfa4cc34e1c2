/** What the server carries is the sum over its threads, and the worst of their delays; a disk that hangs keeps nobody waiting. */

import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { BoardEngine } from "../../../src/server/engine/board-engine.ts";
import type { Engine } from "../../../src/server/engine/engine.ts";
import type { FrontFigures } from "../../../src/server/front/front.ts";
import type { ThreadFigures } from "../../../src/server/front/thread-meter.ts";
import {
  ConfigService,
  type GetConfigResponse,
  GetConfigResponseSchema,
} from "../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { ReadLoad } from "../../../src/server/load.ts";
import { boundsInSeconds, Histogram } from "../../../src/server/machine/structures/histogram.ts";
import { createServerLoad } from "../../../src/server/metrics/server-load.ts";
import { createConfigService } from "../../../src/server/service/config-service.ts";
import type { StoreFigures } from "../../../src/server/store/store.ts";
import { callOf } from "../../support/call-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

function thread(p50: number, p99: number, longest: number): ThreadFigures {
  const loopDelay = new Histogram(boundsInSeconds(1));
  return { loopDelay, recentDelay: { p50, p99, longest }, heapUsed: 10, heapTotal: 100 };
}

const FRONT: FrontFigures = {
  calls: {
    ended: [],
    streams: [
      ["a.v1.B/Acquire", 3],
      ["a.v1.B/Watch", 0],
    ],
  },
  connections: { grpc: 2, web: 5 },
  keys: [],
  threads: [
    ["transport 1", thread(1, 900, 1_000)],
    ["transport 2", thread(9, 90, 5_000)],
  ],
};

function setUp({ store = async (): Promise<StoreFigures | undefined> => undefined } = {}) {
  const clock = createFakeClock();
  let asked = 0;
  const front = async () => {
    asked += 1;
    return FRONT;
  };
  const load = createServerLoad({ clock, front, main: () => thread(4, 10, 2_000), store });
  return { clock, load, asked: () => asked };
}

test("streams, connections and heaps are sums, and of delays the worst counts", async () => {
  const { load } = setUp({ store: async () => ({ commits: new Histogram([]), bytes: 4_096 }) });
  expect(await load()).toEqual({
    streams: [["a.v1.B/Acquire", 3]],
    connections: { grpc: 2, web: 5 },
    loopDelay: { p50: 9, p99: 900, longest: 5_000, thread: "transport 2" },
    heapUsed: 30,
    heapTotal: 300,
    storeBytes: 4_096,
  });
});

test("many who ask at once cost one reading, and the next is a fresh one", async () => {
  const { load, asked } = setUp();
  await Promise.all([load(), load(), load()]);
  expect(asked()).toBe(1);
  await load();
  expect(asked()).toBe(2);
});

test("where the disk does not say its size in time, all else is said", async () => {
  const { clock, load } = setUp({ store: () => new Promise(() => {}) });
  const reading = load();
  clock.advance(1_000_000);
  expect(await reading).toMatchObject({ connections: { grpc: 2 }, storeBytes: undefined });
  expect(clock.scheduled).toBe(0);
});

async function configOf(load: ReadLoad): Promise<GetConfigResponse> {
  const running = create(GetConfigResponseSchema, { file: "/a.yaml", status: { draining: true } });
  const service = createConfigService({
    clock: createFakeClock(),
    engine: {} as Engine,
    boards: {} as BoardEngine,
    running: () => running,
    load,
  });
  const method = service.methods.find(({ descriptor }) => descriptor === ConfigService.method.getConfig);
  if (method?.kind !== "unary") throw new Error("GetConfig is not served");
  return (await method.handle({}, { ...callOf(), onGone() {} })) as GetConfigResponse;
}

test("GetConfig says it, beside how the server stands, and says the rest where it cannot be had", async () => {
  const { status } = await configOf(setUp().load);
  expect(status).toMatchObject({
    draining: true,
    load: {
      streams: [{ method: "a.v1.B/Acquire", open: 3 }],
      grpcConnections: 2,
      webConnections: 5,
      eventLoopDelay: { p99: { seconds: 0n, nanos: 900_000 }, longest: { nanos: 5_000_000 }, thread: "transport 2" },
      heapUsedBytes: 30n,
      heapTotalBytes: 300n,
    },
  });
  expect(status?.load?.storeBytes).toBeUndefined();
  const without = await configOf(() => Promise.reject(new Error("the thread has ended")));
  expect(without).toMatchObject({ file: "/a.yaml", status: { draining: true, load: undefined } });
});
