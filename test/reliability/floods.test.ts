import { describe, expect, onTestFinished, test } from "vitest";
import { createConnectClient } from "../support/connect-client.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { untilStatus } from "../support/look.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { BYSTANDER_LIMITER, startBystander } from "./support/bystander.ts";
import { type Flood, HTTP1_FLOODS, HTTP2_FLOODS, runFlood } from "./support/flood.ts";
import { openRecord } from "./support/record.ts";
import { startStock } from "./support/stock.ts";
import { type Subject, startSubject } from "./support/subject.ts";
import { openTlsWay, tlsSection } from "./support/tls-way.ts";

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
/**
 * Of TLS the server reads at most 16 KiB at once, 963 PINGs, and no more while their answers wait: fewer than the 1,000 that end a
 * session. It holds such a connection still until its keepalive ends it.
 */
const GONE_WITHIN_OVER_TLS = GONE_WITHIN + 2_000;
const AFTERMATH = 300;
/** ms that a call of another client may take, on a machine whose cores the flood, the server and the client share. */
const BYSTANDER_WORST = 2_500;
/** Bytes that may stay when all is over. */
const HEAP_LEFT = 12 << 20;

/** Ports where the server is found, by what is spoken there: over TLS by a way. */
async function openWay({ ports }: Subject, which: "grpc" | "web", ca: string | undefined) {
  const port = ports[which];
  if (ca === undefined) return { http2: port, http1: port, isAlive: () => true };
  const way = await openTlsWay({ port, ca });
  onTestFinished(() => way[Symbol.dispose]());
  return way;
}

const [RAPID_RESET] = HTTP2_FLOODS as readonly [Flood];

describe.each([
  ["gRPC", "grpc", HTTP2_FLOODS, false],
  ["web", "web", [...HTTP2_FLOODS, ...HTTP1_FLOODS], false],
  ["gRPC over TLS", "grpc", HTTP2_FLOODS, true],
  // What it does with HTTP/2 is what the other does.
  ["web over TLS", "web", [RAPID_RESET, ...HTTP1_FLOODS], true],
] as const)("on the port of %s", (name, which, floods, isTls) => {
  const goneWithin = isTls ? GONE_WITHIN_OVER_TLS : GONE_WITHIN;
  test(`${floods.length} floods: each is ended within ${goneWithin} ms or does no harm, and their memory comes back`, async () => {
    const tls = isTls ? await tlsSection(createTlsFolder()) : undefined;
    await using subject = await startSubject(`${YAML}\n${tls?.yaml ?? ""}`);
    // Each has its own: what the flood's has to encrypt is nothing that the server takes.
    const [way, bystandersWay] = [await openWay(subject, which, tls?.ca), await openWay(subject, which, tls?.ca)];
    const portOf = (flood: Flood) => (HTTP1_FLOODS.includes(flood) ? way.http1 : way.http2);
    const address = `127.0.0.1:${bystandersWay.http2}`;
    const url = `http://${address}`;
    const isGrpc = which === "grpc";
    using bystander = await startBystander(isGrpc ? address : url);
    // What is made once is made before the first measurement.
    for (const flood of floods) await runFlood(flood, portOf(flood), 150);
    const before = await subject.memory();
    await bystander.take();
    await new Promise((resolve) => setTimeout(resolve, CALM));
    const calm = await bystander.take();
    record({ figure: `${name}: p99 of a pair of calls in peace`, value: calm.p99, unit: "ms" });

    const seen: object[] = [];
    const wanted: object[] = [];
    for (const flood of floods) {
      const { ended } = await runFlood(flood, portOf(flood), goneWithin);
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
    expect({ alive: subject.isAlive(), way: way.isAlive(), faults: subject.faults }).toEqual({
      alive: true,
      way: true,
      faults: [],
    });

    const client = isGrpc
      ? createGrpcClient(address)
      : createConnectClient(url, { protocol: "connect", httpVersion: "2" });
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
