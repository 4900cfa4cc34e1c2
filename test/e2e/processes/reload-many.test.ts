/** A file of 20,000 limiters is edited under holders of leases of 2 s: none is lost, and no call misses a limiter. */

import { expect, test } from "vitest";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connect } from "../../../src/client/index.ts";
import { Code, failureOf } from "../../support/call-failure.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { limiterOf } from "../../support/look.ts";
import { startServerProcess } from "../../support/server-process.ts";

const COUNT = 20_000;

function fileOf(permits: number, names = COUNT): string {
  const limiters = Array.from({ length: names }, (_, i) => `  - { name: l${i}, max_concurrent: ${permits}, ttl: 2s }`);
  return `limiters:\n${limiters.join("\n")}\n`;
}

test("20 leases of ttl 2 s live through reloads of 20,000 limiters, and SIGHUP with the same file", {
  timeout: 180_000,
}, async () => {
  await using server = await startServerProcess(fileOf(10));
  await using client = connect(server.address);
  await using raw = createGrpcClient(server.address);
  await server.logged(/limiters declared/);
  const leases = await Promise.all(Array.from({ length: 20 }, (_, i) => client.acquire(`l${i}`)));
  const lost = leases.map(({ signal }) => signal);

  server.configure(fileOf(11));
  expect(await server.logged(/has changed and is taken up/)).toMatchObject({ limiters: COUNT });
  expect(await server.logged(/limiters declared/)).toMatchObject({ created: [], deleted: [] });
  expect(await limiterOf(raw, `l${COUNT - 1}`)).toMatchObject({ maxConcurrent: 11 });
  server.signal("SIGHUP");
  await server.logged(/says what is in force already/);

  // The last goes, and only when all others are as the file has them.
  server.configure(fileOf(12, COUNT - 1));
  await server.logged(/limiters declared/);
  expect(await limiterOf(raw, `l${COUNT - 2}`)).toMatchObject({ maxConcurrent: 12 });
  const gone = raw.call(LimiterService.method.getLimiter, { name: `l${COUNT - 1}` });
  expect(await failureOf(gone)).toMatchObject({ code: Code.NotFound, reason: "LIMITER_NOT_FOUND" });
  expect(lost.filter(({ aborted }) => aborted)).toEqual([]);
  for (const lease of leases) expect(await lease.release()).toBe("released");
});
