/**
 * Connections that break in the midst of whatever they carry, over either carrier: a little of what `npm run test:reliability` does
 * at length.
 */

import { expect, test } from "vitest";
import { connectForTest, startRealServer } from "../client/support/real-server.ts";
import { connectOver } from "../reliability/support/cuts/clients.ts";
import { runCuts } from "../reliability/support/cuts/run-cuts.ts";
import { seedOf } from "../reliability/support/tier.ts";
import { carrier } from "../support/carrier.ts";

const PERMITS = 3;

test("no lease is lost, none is doubled, and no permit leaks, however connections break", { retry: 0 }, async () => {
  const { address } = await startRealServer(`limiters: [{ name: db, max_concurrent: ${PERMITS}, ttl: 60s }]`);
  const direct = connectForTest(address);
  const seed = seedOf("connection-cuts");
  const found = await runCuts({
    seed,
    address,
    permits: PERMITS,
    connect: connectOver(carrier),
    direct,
    lasts: 1500,
    carrier,
  });
  expect({ seed, complaints: found.complaints }).toEqual({ seed, complaints: [] });
  expect(found.cuts).toBeGreaterThan(0);
  expect(found.held).toBeGreaterThan(0);
});
