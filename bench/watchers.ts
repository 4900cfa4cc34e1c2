/** What a dashboard that is open costs the server: a watch of 2,000 limiters that all change, over the web port, as a browser has it. */

import { AdmissionService } from "../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createGrpcClient, pathOf } from "../test/support/grpc-client.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns } from "./support/in-turns.ts";
import { report } from "./support/report.ts";
import { type Spread, spreadOf } from "./support/spread.ts";

const LIMITERS = 2_000;
const ROUNDS = 5;
/** ms of a round, in which each limiter is asked for this often. */
const SPAN = 4_000;
const ASKED = 4;

const NAMES = Array.from({ length: LIMITERS }, (_, index) => `limiter-${index}`);
const YAML = `limiters: [${NAMES.map((name) => `{ name: ${name}, max_concurrent: 5 }`).join(", ")}]`;

pinLoad();
await using server = await startMeasured(YAML);
await using client = createGrpcClient(server.address);
const received: number[] = [];

/** Returns ms of CPU that the server has worked in a second with so many watchers. */
function withWatchers(count: number): () => Promise<number> {
  return async () => {
    const watchers = Array.from({ length: count }, () => watch(server.url));
    await Promise.all(watchers.map(({ begun }) => begun));
    const before = (await server.usage()).cpu;
    const start = performance.now();
    for (let turn = 0; turn < ASKED; turn++) {
      await askAll(start + (turn * SPAN) / ASKED, SPAN / ASKED);
    }
    const span = performance.now() - start;
    const cpu = (await server.usage()).cpu - before;
    for (const watcher of watchers) received.push((watcher.end() * 1_000) / span / 1_000);
    return cpu / span;
  };
}

/** Asks for all, evenly over the time. */
async function askAll(from: number, span: number): Promise<void> {
  const slice = 100;
  for (let first = 0; first < LIMITERS; first += slice) {
    await Promise.all(
      NAMES.slice(first, first + slice).map((limiter) =>
        client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter }], ttl: { nanos: 300_000_000 } }),
      ),
    );
    const left = from + (span * (first + slice)) / LIMITERS - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }
}

/** Reads and does not decode. `end` returns the bytes that have come. */
function watch(url: string): { readonly begun: Promise<void>; end(): number } {
  const stop = new AbortController();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  const read = async () => {
    const response = await fetch(`${url}${pathOf(LimiterService.method.watchLimiters)}`, {
      method: "POST",
      headers: { "content-type": "application/connect+proto", "connect-protocol-version": "1" },
      // One message, which is empty: all limiters.
      body: new Uint8Array(5),
      signal: stop.signal,
    });
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      resolve();
    }
  };
  read().catch(() => {});
  return {
    begun,
    end() {
      stop.abort();
      return bytes;
    },
  };
}

const cpu = await inTurns({ none: withWatchers(0), one: withWatchers(1), two: withWatchers(2) }, { rounds: ROUNDS });

report({
  name: "watchers",
  figures: [
    { what: "server's CPU for the first watcher", unit: "ms/s", spread: differenceOf(cpu.one, cpu.none) },
    { what: "for one more", unit: "ms/s", spread: differenceOf(cpu.two, cpu.one) },
    { what: "for the calls alone", unit: "ms/s", spread: spreadOf(cpu.none) },
    { what: "sent to a watcher", unit: "KB/s", spread: spreadOf(received) },
  ],
  notes: [
    `${LIMITERS} limiters, each asked for ${(ASKED * 1_000) / SPAN} times a second, its lease ending 0.3 s later; ${pinning()}.`,
    "The watcher is Connect over HTTP/1.1, as a browser's; it reads and does not decode.",
  ],
});

function differenceOf(above: readonly number[], below: readonly number[]): Spread {
  return spreadOf(above.map((value, round) => value - (below[round] as number)));
}
