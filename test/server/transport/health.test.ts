import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../src/server/gen/grpc/health/v1/health_pb.ts";
import { createHealth } from "../../../src/server/service/health.ts";
import { startGrpc } from "./support/ports.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;

async function start() {
  const health = createHealth(["a.Service"]);
  const { address } = await startGrpc([health.service]);
  return { health, client: createClient(Health, createGrpcTransport({ baseUrl: `http://${address}` })) };
}

test("the server and its services do not serve until they do, and no longer when they do not", async () => {
  const { health, client } = await start();
  for (const serving of [undefined, true, false]) {
    if (serving !== undefined) health.set(serving);
    const expected = serving ? SERVING : NOT_SERVING;
    for (const service of ["", "a.Service"]) expect((await client.check({ service })).status).toBe(expected);
    const { statuses } = await client.list({});
    expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
      ["", expected],
      ["a.Service", expected],
      ["grpc.health.v1.Health", SERVING],
    ]);
  }
});

test("the health service itself serves while it answers, so that nobody kills a server that drains or whose disk is full", async () => {
  const { health, client } = await start();
  health.set(false);
  expect((await client.check({ service: "" })).status).toBe(NOT_SERVING);
  expect((await client.check({ service: "grpc.health.v1.Health" })).status).toBe(SERVING);
});

test("a service that there is not is NOT_FOUND", async () => {
  const { client } = await start();
  const error = await client.check({ service: "b.Service" }).catch((thrown: unknown) => ConnectError.from(thrown));
  expect(error).toMatchObject({ code: Code.NotFound });
});

test("a watcher is sent the present state, and then each change once", async () => {
  const { health, client } = await start();
  const abort = new AbortController();
  const watch = client.watch({ service: "a.Service" }, { signal: abort.signal })[Symbol.asyncIterator]();
  const heard = async () => (await watch.next()).value?.status;
  expect(await heard()).toBe(NOT_SERVING);
  health.set(true);
  expect(await heard()).toBe(SERVING);
  health.set(true);
  health.set(false);
  expect(await heard()).toBe(NOT_SERVING);
  abort.abort();
});

test("a watcher of an unknown service is answered so, and may go on watching", async () => {
  const { health, client } = await start();
  const abort = new AbortController();
  const watch = client.watch({ service: "b.Service" }, { signal: abort.signal })[Symbol.asyncIterator]();
  expect((await watch.next()).value?.status).toBe(SERVICE_UNKNOWN);
  const ended = watch.next().catch((thrown: unknown) => ConnectError.from(thrown).code);
  health.set(true);
  abort.abort();
  expect(await ended).toBe(Code.Canceled);
});
