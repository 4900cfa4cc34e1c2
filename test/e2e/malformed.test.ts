import { describe, expect, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { ContractClient } from "../support/contract-client.ts";
import { leasesOf, waitersOf } from "../support/look.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { MALFORMED_FOR, MALFORMED_REQUESTS, occupy } from "./support/malformed-requests.ts";

const WIRES: readonly (readonly [name: string, open: (server: TestServer) => ContractClient, json: boolean])[] = [
  ["gRPC", (server) => server.grpc(), false],
  ["gRPC-Web", (server) => server.connect({ protocol: "grpc-web", httpVersion: "1.1" }), false],
  ["Connect", (server) => server.connect({ protocol: "connect", httpVersion: "2" }), false],
  ["Connect with JSON", (server) => server.connect({ protocol: "connect-json", httpVersion: "1.1" }), true],
];

/** All that a server shows, without the figures that pass with time or count refusals. */
async function stateOf(client: ContractClient): Promise<unknown> {
  const { limiters } = await client.call(LimiterService.method.listLimiters, {});
  return {
    limiters: limiters.map(({ status, ...limiter }) => ({
      ...limiter,
      inUse: status?.permitsInUse,
      waiters: status?.waiters,
      keys: status?.keys,
      tokens: status?.tokensAvailable,
      granted: status?.grantedCount,
    })),
    leases: await leasesOf(client),
    // What they are likely to wait grows by itself, with the ages of the holders.
    waiters: (await waitersOf(client, "db")).map((waiter) => ({ ...waiter, estimatedWait: undefined })),
  };
}

describe.each(WIRES)("over %s", (_name, open, json) => {
  test("each malformed request gets the code, the reason and the fields that are documented, and changes nothing", async () => {
    await using server = await startTestServer(MALFORMED_FOR);
    const watcher = server.grpc();
    await occupy(watcher);
    const before = await stateOf(watcher);

    const client = open(server);
    const expected: unknown[] = [];
    const actual: unknown[] = [];
    for (const { name, answer, binaryOnly, send } of MALFORMED_REQUESTS) {
      if (json && binaryOnly) continue;
      const failure = await send(client);
      const said = Object.keys(answer).map((part) => [part, failure[part as keyof typeof failure]]);
      expected.push({ name, ...answer });
      actual.push({ name, ...Object.fromEntries(said) });
    }
    expect(actual).toEqual(expected);
    expect(await stateOf(watcher)).toEqual(before);
    expect(server.log.at("error")).toEqual([]);
  });
});

const TRY_ACQUIRE = "/ggen.backpressure.v1.AdmissionService/TryAcquire";
const CREATE_LIMITER = "/ggen.backpressure.v1.LimiterService/CreateLimiter";

/** Posts a body as Connect's JSON, as a script would, and says what came back. */
async function post(url: string, path: string, body: string): Promise<object> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}${path}`, { method: "POST", headers, body });
  const { code } = (await response.json()) as { code: string };
  return { status: response.status, code };
}

const WRONG_TYPES: readonly (readonly [what: string, path: string, body: string])[] = [
  ["a string for claims", TRY_ACQUIRE, '{"claims":"idle"}'],
  ["a list for a claim", TRY_ACQUIRE, '{"claims":[["idle"]]}'],
  ["a number for a name", TRY_ACQUIRE, '{"claims":[{"limiter":5}]}'],
  ["null for a claim", TRY_ACQUIRE, '{"claims":[null]}'],
  ["permits below zero", TRY_ACQUIRE, '{"claims":[{"limiter":"idle","permits":-1}]}'],
  ["half a permit", TRY_ACQUIRE, '{"claims":[{"limiter":"idle","permits":0.5}]}'],
  ["permits beyond 32 bits", TRY_ACQUIRE, '{"claims":[{"limiter":"idle","permits":4294967296}]}'],
  ["permits in words", TRY_ACQUIRE, '{"claims":[{"limiter":"idle","permits":"one"}]}'],
  ["a ttl without a unit", TRY_ACQUIRE, '{"claims":[{"limiter":"idle"}],"ttl":"5"}'],
  ["a number for a ttl", TRY_ACQUIRE, '{"claims":[{"limiter":"idle"}],"ttl":5}'],
  ["a ttl beyond what a duration can say", TRY_ACQUIRE, '{"claims":[{"limiter":"idle"}],"ttl":"999999999999s"}'],
  ["yes for a flag", TRY_ACQUIRE, '{"claims":[{"limiter":"idle","slots":"yes"}]}'],
  ["a rate in words", CREATE_LIMITER, '{"limiter":{"name":"new","maxRps":"fast"}}'],
  ["half of a request", TRY_ACQUIRE, '{"claims":[{"limiter":"idle"'],
  ["a list for a request", TRY_ACQUIRE, "[]"],
  ["null for a request", TRY_ACQUIRE, "null"],
  ["no request", TRY_ACQUIRE, ""],
  ["what is no JSON", TRY_ACQUIRE, "claims=idle"],
  ["a very deep request", TRY_ACQUIRE, `{"claims":${"[".repeat(50_000)}`],
];

test("wrong types in JSON are the caller's mistake, and change nothing", async () => {
  await using server = await startTestServer(MALFORMED_FOR);
  const watcher = server.grpc();
  const before = await stateOf(watcher);
  for (const [what, path, body] of WRONG_TYPES) {
    expect({ what, ...(await post(server.url, path, body)) }).toEqual({ what, status: 400, code: "invalid_argument" });
  }
  expect(await stateOf(watcher)).toEqual(before);
  expect(server.log.at("error")).toEqual([]);
});
