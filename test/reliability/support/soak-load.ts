/** The load of a soak: streams that come and go, and calls of all kinds, over both ports, so many a second. */

import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { Dice } from "../../server/machine/dice.ts";
import { type AcquireCall, acquire, giveBack, type Hold, held } from "../../support/acquire.ts";
import { CallFailure } from "../../support/call-failure.ts";
import { createConnectClient } from "../../support/connect-client.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import { createGrpcClient, pathOf } from "../../support/grpc-client.ts";
import { connectMany } from "./many-streams.ts";

export interface LapSize {
  /** Open at any time. */
  readonly streams: number;
  /** Calls a second. */
  readonly pace: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface SoakOptions extends LapSize {
  /** host:port */
  readonly address: string;
  /** http://host:port */
  readonly url: string;
}

export interface SoakReport {
  readonly calls: number;
  /** Calls that have failed, and should not have. */
  readonly failures: readonly string[];
}

interface SoakClient extends ContractClient {
  /** HTTP/1.1 has no pings: there a lease that is not renewed runs out though its stream is open. */
  readonly probed: boolean;
}

/** A stream that is open, and its lease once it has one. */
interface Stream {
  readonly client: SoakClient;
  readonly call: AcquireCall;
  hold: Hold | undefined;
}

/** Calls at once: on a machine that is slow the pace falls behind, rather than the calls pile up. */
const MOST_PENDING = 200;
/** ms between two bunches of calls. */
const STEP = 20;
/** Streams on one connection; over HTTP/1.1 each has its own. */
const STREAMS_A_CLIENT = 150;
const TTL = { seconds: 1n };

export async function soak(options: SoakOptions, dice: Dice): Promise<SoakReport> {
  const { address, url, streams, pace, seconds } = options;
  const clients = Array.from({ length: Math.ceil(streams / STREAMS_A_CLIENT) }, (_, index) => clientOf(index));
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let calls = 0;

  function clientOf(index: number): SoakClient {
    const kind = index % 8;
    if (kind < 4) return { ...createGrpcClient(address), probed: true };
    if (kind === 4) return { ...createConnectClient(url, { protocol: "connect", httpVersion: "1.1" }), probed: false };
    const protocol = kind === 5 ? "connect" : "grpc-web";
    return { ...createConnectClient(url, { protocol, httpVersion: "2" }), probed: true };
  }

  function open(index: number): Stream {
    calls += 1;
    const client = clients[index % clients.length] as SoakClient;
    const call = acquire(client, { claims: [{ limiter: "streams" }], holder: `stream ${index}`, ttl: TTL });
    const stream: Stream = { client, call, hold: undefined };
    held(call).then(
      (hold) => {
        stream.hold = hold;
      },
      () => {},
    );
    return stream;
  }

  async function end({ client, call, hold }: Stream): Promise<void> {
    calls += 1;
    if (hold !== undefined && client.probed && dice.chance(50)) return giveBack(client, hold);
    call.cancel();
    await call.ending;
  }

  /** Its answer is waited for where all are. */
  function begin(what: Promise<void>): void {
    const over = what
      .catch((error: unknown) => {
        failures.push(String(error));
      })
      .finally(() => pending.delete(over));
    pending.add(over);
  }

  async function pair(client: ContractClient): Promise<void> {
    calls += 2;
    const claim = dice.chance(50) ? { limiter: "keyed", key: `key ${dice.roll(100_000)}` } : { limiter: "rated" };
    const requestId = dice.chance(20) ? `request-of-a-soak-${dice.roll(2 ** 31)}` : "";
    const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [claim], ttl: TTL, requestId });
    if (result.case !== "granted") return;
    const credential = { leaseId: result.value.lease?.id ?? "", secret: result.value.secret };
    if (dice.chance(30)) await client.call(AdmissionService.method.renew, { leases: [credential] });
    // Its time may have run out before it is released, or it is left to that.
    if (dice.chance(90)) await client.call(AdmissionService.method.release, credential);
  }

  async function look(client: ContractClient): Promise<void> {
    calls += 2;
    const watch = client.open(LimiterService.method.watchLimiters, {});
    await watch.next();
    await client.call(LimiterService.method.listLeases, { pageSize: 20 });
    watch.cancel();
    await watch.ending;
  }

  async function operate(client: ContractClient): Promise<void> {
    calls += 3;
    const name = `made-${dice.roll(2 ** 31)}`;
    await client.call(LimiterService.method.createLimiter, { limiter: { name, maxConcurrent: 1 } });
    await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: name }], ttl: TTL });
    await client.call(LimiterService.method.deleteLimiter, { name, force: true });
  }

  async function mistake(client: ContractClient): Promise<void> {
    calls += 1;
    const claims = [{ limiter: dice.chance(50) ? "no such limiter" : "" }];
    const failure = await client.call(AdmissionService.method.tryAcquire, { claims }).catch((error: unknown) => error);
    if (!(failure instanceof CallFailure)) throw new Error("a call that is wrong was answered");
  }

  /** Ten streams whose connection is lost, with waiters that do not come back, or leases whose time then runs. */
  async function lose(): Promise<void> {
    calls += 10;
    const port = Number(dice.chance(50) ? new URL(url).port : address.slice(address.lastIndexOf(":") + 1));
    const { acquire: method } = AdmissionService.method;
    const shape = { port, path: pathOf(method), contentType: "application/grpc", streams: 10, streamsAConnection: 10 };
    using crowd = await connectMany(shape);
    const limiter = dice.pick(["streams", "lost"]);
    const answered = Array.from({ length: 10 }, (_, index) => {
      const requestId = `request-of-a-soak-${dice.roll(2 ** 31)}-${index}`;
      const request = create(AcquireRequestSchema, { claims: [{ limiter }], ttl: TTL, requestId });
      return new Promise<void>((resolve) => {
        crowd.open(toBinary(AcquireRequestSchema, request), () => resolve()).on("close", resolve);
      });
    });
    await Promise.all(answered);
  }

  const opened = Array.from({ length: streams }, (_, index) => open(index));
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1000) {
    const due = streams + ((performance.now() - begun) / 1000) * pace;
    while (calls < due && pending.size < MOST_PENDING) {
      const roll = dice.roll(100);
      const client = dice.pick(clients);
      if (roll < 60) {
        const index = dice.roll(streams);
        begin(end(opened[index] as Stream));
        opened[index] = open(index);
      } else if (roll < 90) begin(pair(client));
      else if (roll < 93) begin(look(client));
      else if (roll < 95) begin(operate(client));
      else if (roll < 99) begin(mistake(client));
      else begin(lose());
    }
    await sleep(STEP);
  }
  for (const stream of opened) begin(end(stream));
  await Promise.all(pending);
  for (const client of clients) await client[Symbol.asyncDispose]();
  return { calls, failures };
}
