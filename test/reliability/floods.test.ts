import { describe, expect, onTestFinished, test } from "vitest";
import { createGrpcClient } from "../support/grpc-client.ts";
import { untilStatus } from "../support/look.ts";
import { BYSTANDER_LIMITER, startBystander } from "./support/bystander.ts";
import { type Flood, HTTP1_FLOODS, HTTP2_FLOODS, runFlood } from "./support/flood.ts";
import { openRecord } from "./support/record.ts";
import { startStock } from "./support/stock.ts";
import { startSubject } from "./support/subject.ts";

const record = openRecord("floods");

const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}
  - { name: flooded, max_concurrent: 1, ttl: 1s, max_ttl: 1s }
liveness: { keepalive_time: 1s, keepalive_timeout: 1s }
logging: { level: error }`;

/** ms. */
const CALM = 1_500;
const GONE_WITHIN = 2_000;
const AFTERMATH = 300;
/** ms that a call of another client may take, on a machine whose cores the flood, the server and the client share. */
const BYSTANDER_WORST = 2_500;
/** Bytes that may stay when all is over. */
const HEAP_LEFT = 12 << 20;

describe.each([
  ["gRPC", "grpc", HTTP2_FLOODS],
  ["web", "web", [...HTTP2_FLOODS, ...HTTP1_FLOODS]],
] as const)("on the %s port", (name, which, floods) => {
  test(`${floods.length} floods: each is ended within ${GONE_WITHIN} ms or does no harm, and their memory comes back`, async () => {
    await using subject = await startSubject(YAML);
    const { server, ports } = subject;
    using bystander = await startBystander(which === "grpc" ? server.address : server.url);
    // What is made once is made before the first measurement.
    for (const flood of floods) await runFlood(flood, ports[which], 150);
    const before = await subject.memory();
    await bystander.take();
    await new Promise((resolve) => setTimeout(resolve, CALM));
    const calm = await bystander.take();
    record({ figure: `${name}: p99 of a pair of calls in peace`, value: calm.p99, unit: "ms" });

    const seen: object[] = [];
    const wanted: object[] = [];
    for (const flood of floods) {
      const { ended } = await runFlood(flood, ports[which], GONE_WITHIN);
      await new Promise((resolve) => setTimeout(resolve, AFTERMATH));
      const { p99, worst, failures } = await bystander.take();
      record({ figure: `${name}: ${flood.name}: p99 of a pair of calls`, value: p99, unit: "ms" });
      record({ figure: `${name}: ${flood.name}: worst pair of calls`, value: worst, unit: "ms" });
      if (ended !== undefined) record({ figure: `${name}: ${flood.name}: ended after`, value: ended, unit: "ms" });
      const isGone = flood.fate === "ended" ? ended !== undefined : "may stay";
      seen.push({ flood: flood.name, isGone, failures, isQuick: worst < BYSTANDER_WORST });
      wanted.push({
        flood: flood.name,
        isGone: flood.fate === "ended" ? true : "may stay",
        failures: [],
        isQuick: true,
      });
    }
    expect(seen).toEqual(wanted);
    expect({ alive: subject.isAlive(), faults: subject.faults }).toEqual({ alive: true, faults: [] });

    const client = createGrpcClient(server.address);
    onTestFinished(() => client[Symbol.asyncDispose]());
    await untilStatus(client, "flooded", ({ permitsInUse, waiters }) => permitsInUse === 0n && waiters === 0n);
    const after = await subject.memory();
    record({ figure: `${name}: heap afterwards`, value: (after.heap - before.heap) / 2 ** 20, unit: "MB more" });
    record({ figure: `${name}: resident afterwards`, value: (after.rss - before.rss) / 2 ** 20, unit: "MB more" });
    expect(after.heap - before.heap).toBeLessThan(HEAP_LEFT);
  }, 120_000);
});

test("control: HTTP/2 of Node with its limits lifted does not end a flood of resets", async () => {
  await using stock = await startStock("http2");
  const [flood] = HTTP2_FLOODS.filter(({ name }) => name === "rapid reset");
  const { ended } = await runFlood(flood as Flood, stock.port, GONE_WITHIN);
  const control = ended === undefined ? "it was not ended" : "it was ended";
  record({ figure: "rapid reset: on a server without limits", value: ended ?? GONE_WITHIN, unit: "ms", control });
  expect(ended).toBe(undefined);
}, 30_000);
