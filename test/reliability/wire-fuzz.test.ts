import { expect, onTestFinished, test } from "vitest";
import { createDice } from "../server/machine/dice.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { statusOf, untilStatus } from "../support/look.ts";
import { BYSTANDER_LIMITER, startBystander } from "./support/bystander.ts";
import { fuzzPort } from "./support/fuzz/fuzz-port.ts";
import { http1Script } from "./support/fuzz/http1-script.ts";
import { http2Script } from "./support/fuzz/http2-script.ts";
import { FUZZED_LIMITERS } from "./support/fuzz/requests.ts";
import { openRecord } from "./support/record.ts";
import { startStock } from "./support/stock.ts";
import { startSubject } from "./support/subject.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("wire-fuzz");
const seed = seedOf("wire-fuzz");

const FRAMES = inTier({ C: 300_000, N: 5_000_000 });
const HTTP1_CONNECTIONS = inTier({ C: 5_000, N: 100_000 });
const FRAMES_A_CONNECTION = 40;
const REQUESTS_A_CONNECTION = 3;
const TIMEOUT = inTier({ C: 300_000, N: 5_400_000 });
/** The nursery is small, so that the collector comes often: that is what has aborted Node. */
const SMALL_NURSERY = "--max-semi-space-size=1";
/** Bytes that may stay after all: compiled code, and nothing that grows with the frames. */
const HEAP_LEFT = 12 << 20;
/** ms that the worst call of another client may take on a machine that is shared with the attack. */
const BYSTANDER_WORST = 2_000;

const YAML = `
limiters:
  - ${BYSTANDER_LIMITER}${FUZZED_LIMITERS}
logging: { level: warn }`;

/** Scripts by their number, so that any one can be had again. Counts the frames that it hands out. */
function scripts(firstSeed: number) {
  const counted = { frames: 0 };
  const script = (connection: number) => {
    const made = http2Script(createDice(firstSeed + connection), FRAMES_A_CONNECTION);
    counted.frames += made.frames;
    return made;
  };
  return { counted, script };
}

test.each([
  ["gRPC", "grpc"],
  ["web", "web"],
] as const)(
  `${FRAMES} hostile frames on the %s port: it lives, answers others, and has its memory back`,
  async (name, which) => {
    await using subject = await startSubject(YAML, { nodeArguments: [SMALL_NURSERY] });
    const { server, ports, isAlive, faults } = subject;
    using bystander = await startBystander(which === "grpc" ? server.address : server.url);
    const port = ports[which];
    const fuzz = async (from: number, frames: number) => {
      const { counted, script } = scripts(from);
      const begun = performance.now();
      const result = await fuzzPort({
        port,
        // As many as are wanted, and then no more.
        connections: Number.POSITIVE_INFINITY,
        script,
        isAlive: () => isAlive() && counted.frames < frames,
      });
      return { ...counted, ...result, seconds: (performance.now() - begun) / 1000 };
    };
    // What is made once is made before the first measurement.
    await fuzz(seed + 2 ** 30, 20_000);
    const before = await subject.memory();
    await bystander.take();
    const { frames, answered, unanswered, left, seconds } = await fuzz(seed, FRAMES);
    const sight = await bystander.take();
    expect({ alive: isAlive(), faults, failures: sight.failures, left, unanswered }).toEqual({
      alive: true,
      faults: [],
      failures: [],
      left: [],
      unanswered: [],
    });
    expect(frames).toBeGreaterThanOrEqual(FRAMES);

    // Whatever was held or waited for is gone when its time has passed.
    const client = createGrpcClient(server.address);
    onTestFinished(() => client[Symbol.asyncDispose]());
    for (const limiter of ["fuzz", "keyed"]) {
      await untilStatus(client, limiter, ({ permitsInUse, waiters }) => permitsInUse === 0n && waiters === 0n);
    }
    const after = await subject.memory();
    record({ figure: `${name}: frames`, value: frames, unit: "frames", seed });
    record({ figure: `${name}: frames a second`, value: frames / seconds, unit: "/s" });
    record({ figure: `${name}: connections read to the end`, value: answered, unit: "connections" });
    record({ figure: `${name}: p99 of another client's pair of calls`, value: sight.p99, unit: "ms" });
    record({ figure: `${name}: worst of another client's pairs of calls`, value: sight.worst, unit: "ms" });
    record({ figure: `${name}: heap afterwards`, value: (after.heap - before.heap) / 2 ** 20, unit: "MB more" });
    record({ figure: `${name}: resident afterwards`, value: (after.rss - before.rss) / 2 ** 20, unit: "MB more" });
    expect(sight.pairs).toBeGreaterThan(100);
    expect(sight.worst).toBeLessThan(BYSTANDER_WORST);
    expect(after.heap - before.heap).toBeLessThan(HEAP_LEFT);
    expect((await statusOf(client, "fuzz")).permitsInUse).toBe(0n);
  },
  TIMEOUT,
);

test(
  `${HTTP1_CONNECTIONS} connections of hostile HTTP/1.1: the web port lives and answers others`,
  async () => {
    await using subject = await startSubject(YAML);
    using bystander = await startBystander(subject.server.url);
    const { left } = await fuzzPort({
      port: subject.ports.web,
      connections: HTTP1_CONNECTIONS,
      script: (connection) => ({
        bytes: http1Script(createDice(seed + connection), REQUESTS_A_CONNECTION),
        isAnswered: false,
      }),
      isAlive: subject.isAlive,
    });
    const sight = await bystander.take();
    record({
      figure: "web: HTTP/1.1 requests",
      value: HTTP1_CONNECTIONS * REQUESTS_A_CONNECTION,
      unit: "requests",
      seed,
    });
    record({ figure: "web: worst pair of calls meanwhile", value: sight.worst, unit: "ms" });
    expect({ alive: subject.isAlive(), faults: subject.faults, failures: sight.failures, left }).toEqual({
      alive: true,
      faults: [],
      failures: [],
      left: [],
    });
    expect(sight.worst).toBeLessThan(BYSTANDER_WORST);
  },
  TIMEOUT,
);

/**
 * Frames within which one of many stock servers is to have died: it takes a garbage collection at the right moment, early in
 * a server's life or hardly ever.
 */
const CONTROL_FRAMES = 40_000;
const CONTROL_SERVERS = 40;

test.each([
  ["grpc-js", "gRPC"],
  ["connect-node", "web"],
] as const)(
  "control: the same frames end a stock %s server",
  async (library, name) => {
    let died = false;
    for (let server = 0; server < CONTROL_SERVERS && !died; server += 1) {
      await using stock = await startStock(library, [SMALL_NURSERY]);
      const { counted, script } = scripts(seed + server);
      await fuzzPort({
        port: stock.port,
        connections: Number.POSITIVE_INFINITY,
        script,
        isAlive: () => stock.isAlive() && counted.frames < CONTROL_FRAMES,
      });
      died = !stock.isAlive();
      if (!died) continue;
      record({
        figure: `${name}: frames that a stock ${library} server outlived`,
        value: counted.frames,
        unit: "frames",
        control: `stock server number ${server + 1} died of ${stock.process.signalCode ?? stock.process.exitCode}`,
        seed: seed + server,
      });
    }
    expect(died).toBe(true);
  },
  TIMEOUT,
);
