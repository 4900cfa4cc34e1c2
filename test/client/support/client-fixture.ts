/** A client over the fake service, with a clock that the test moves. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import type { Client, ClientOptions } from "../../../src/client/api/client.ts";
import { assembleClient } from "../../../src/client/assemble.ts";
import type { GrantedSchema } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createLimiters } from "../../../src/client/resources/limiters.ts";
import { openBoards } from "../../../src/client/resources/open-boards.ts";
import type { Parts } from "../../../src/client/resources/parts.ts";
import type { Page } from "../../../src/client/rpc/page.ts";
import { createSessionTransport } from "../../../src/client/session/session-transport.ts";
import { carrier } from "../../support/carrier.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createFakeService, type FakeService } from "./fake-service.ts";
import { withSessions } from "./session-bridge.ts";

export interface Fixture {
  readonly client: Client;
  readonly service: FakeService;
  readonly clock: FakeClock;
  /** What the developer was warned of. */
  readonly warnings: string[];
  isConnected(): boolean;
}

export interface FixtureOptions extends ClientOptions {
  /** What carries the client's calls to the service. */
  readonly over?: (transport: Transport, clock: FakeClock) => Transport;
  readonly page?: Page;
  /** Default: those of the file. */
  readonly parts?: Parts;
  /** What chance brings, in [0, 1). Default 0.5: no jitter in renewals, three quarters of a backoff. */
  readonly fraction?: number;
}

/** Those of Node, unless the tests of the file are to have others. */
let partsOfFile: Parts = { openBoards, openLimiters: createLimiters };

export function useParts(parts: Parts): void {
  partsOfFile = parts;
}

/** ms: V, a third of it and the ttl of the leases that the tests grant. */
export const TTL = 6000;
export const VALID_FOR = 3000;
export const RENEW_AFTER = 1000;

export function createFixture({
  over = carrier === "sessions" ? bySession : (transport) => transport,
  page,
  parts = partsOfFile,
  fraction = 0.5,
  ...options
}: FixtureOptions = {}): Fixture {
  const service = createFakeService();
  const clock = createFakeClock();
  const warnings: string[] = [];
  let requests = 0;
  let connected = true;
  // Long, so that tests of other things go their way.
  const { answerWithin = 10_000 } = options;
  const client = assembleClient(
    {
      clock,
      random: {
        requestId: () => {
          requests += 1;
          return `request-${requests}`.padEnd(32, "0");
        },
        fraction: () => fraction,
      },
      platform: { warn: (message) => warnings.push(message), page },
      transport: over(service.transport, clock),
      address: "fake:50051",
      parts,
      disconnect: () => {
        connected = false;
      },
    },
    { ...options, answerWithin },
  );
  return { client, service, clock, warnings, isConnected: () => connected };
}

/** By a session over the service's calls, which sets no timer that a test would find. */
function bySession(transport: Transport): Transport {
  return createSessionTransport({
    transport: withSessions(transport),
    clock: createFakeClock(),
    defer: queueMicrotask,
    openWithin: 1000,
    onRest: () => {},
  });
}

/** A grant of one permit of limiter `db`, as the server would send it. */
export function granted(
  id = "lease-1",
  { validFor = VALID_FOR, ttl = TTL, permits = 1, secret = `secret of ${id}` } = {},
): MessageInitShape<typeof GrantedSchema> {
  return {
    lease: {
      id,
      claims: [{ limiter: "db", permits, tokens: 1, fencingToken: 7n, slots: [] }],
      holder: "tests",
      grantTime: timestampFromMs(Date.UTC(2026, 0, 1)),
      ttl: durationFromMs(ttl),
    },
    secret,
    validFor: validFor === 0 ? undefined : durationFromMs(validFor),
  };
}

/** Lets everything happen that does not wait for the test. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
