/** Connections that break at random points of what they carry: no lease is lost within its ttl, none is doubled, no permit leaks. */

import { expect, test } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import type { Carrier } from "../support/carrier.ts";
import { startServerProcess } from "../support/server-process.ts";
import { connectOver, connectTampered, forgetRequests, forgetSession } from "./support/cuts/clients.ts";
import { type CutsFound, runCuts } from "./support/cuts/run-cuts.ts";
import { openRecord } from "./support/record.ts";
import { inTier, seedOf } from "./support/tier.ts";

const record = openRecord("connection-cuts");
const seed = seedOf("connection-cuts");

const RUNS = inTier({ C: 10, N: 200 });
const PERMITS = 3;
/** ms */
const LASTS = 2_000;
/** No outage of a run comes near it. */
const TTL = "60s";
/** What is lost comes back within the control. */
const SHORT_TTL = "4s";

interface Found extends CutsFound {
  readonly seed: number;
}

/** One run after another against one server, whose books are looked at after each. */
async function run(
  connectCut: (address: string) => Client,
  runs: number,
  { ttl = TTL, carrier = "sessions" }: { readonly ttl?: string; readonly carrier?: Carrier } = {},
): Promise<readonly Found[]> {
  const limiter = `{ name: db, max_concurrent: ${PERMITS}, ttl: ${ttl} }`;
  await using server = await startServerProcess(`limiters: [${limiter}]\nlogging: { level: warn }`);
  await using direct = connect(server.address, { answerWithin: 30_000 });
  const { address } = server;
  const found: Found[] = [];
  for (let number = 0; number < runs; number += 1) {
    const own = seed + number;
    const options = { seed: own, address, permits: PERMITS, connect: connectCut, direct, lasts: LASTS, carrier };
    found.push({ ...(await runCuts(options)), seed: own });
  }
  return found;
}

const sum = (found: readonly Found[], of: (one: Found) => number) => found.reduce((total, one) => total + of(one), 0);
const complaintsOf = (found: readonly Found[]) =>
  found.flatMap(({ seed: own, complaints }) => complaints.map((complaint) => `${complaint} (seed ${own})`));

test.each<Carrier>(["sessions", "streams"])(
  `%s: ${RUNS} runs of connections that break, and the server's books are those of the holders after each`,
  { timeout: RUNS * 10_000 + 30_000, retry: 0 },
  async (carrier) => {
    const found = await run(connectOver(carrier), RUNS, { carrier });
    record({ figure: `${carrier}: connections that broke`, value: sum(found, ({ cuts }) => cuts), unit: "", seed });
    record({ figure: `${carrier}: leases held meanwhile`, value: sum(found, ({ held }) => held), unit: "", seed });
    record({ figure: `${carrier}: lost, doubled or leaked`, value: complaintsOf(found).length, unit: "", seed });
    expect(complaintsOf(found)).toEqual([]);
    expect(sum(found, ({ cuts }) => cuts)).toBeGreaterThan(5 * RUNS);
  },
);

test("control: a client that does not take its session up again loses its leases", { timeout: 60_000 }, async () => {
  const complaints = complaintsOf(await run(connectTampered(forgetSession), 1, { ttl: SHORT_TTL }));
  // Its holder hears of it in time, or finds it gone at the release.
  expect(complaints.join("\n")).toMatch(/was lost|was unconfirmed/);
});

test("control: a client that does not say that it asks again is granted twice", { timeout: 60_000 }, async () => {
  const complaints = complaintsOf(await run(connectTampered(forgetRequests), 1, { ttl: SHORT_TTL }));
  expect(complaints.join("\n")).toMatch(/the server has granted \d+ leases, clients have had \d+/);
});
