/** What operators do is told in the log, once it is done, and with who did it. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { startTestServer } from "../support/server.ts";

test("limiters, boards, revocations and what is forced have lines; reads, and what is refused, have none", async () => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]\n");
  const client = server.grpc();
  const { createLimiter, deleteLimiter, getLimiter, revokeLease, cancelWaiter } = LimiterService.method;
  await client.call(createLimiter, { limiter: { name: "made", maxConcurrent: 1 } });
  await client.call(BoardService.method.createBoard, { board: { name: "made" } });
  await client.call(getLimiter, { name: "made" });
  const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
  if (result.case !== "granted") throw new Error(`${result.case}`);
  const leaseId = result.value.lease?.id ?? "";
  await client.call(revokeLease, { leaseId, force: true });
  await client.call(deleteLimiter, { name: "made", force: true });
  await expect(client.call(deleteLimiter, { name: "db" })).rejects.toThrow();
  await expect(client.call(cancelWaiter, { waiterId: "none" })).rejects.toThrow();
  const acts = () => server.log.lines.filter(({ fields }) => fields.event === "operator-act");
  await expect.poll(() => acts().length).toBe(4);
  const by = { event: "operator-act", peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/), caller: "anonymous" };
  expect(acts().map(({ level, fields }) => [level, fields])).toEqual([
    ["info", { ...by, limiter: "made" }],
    ["info", { ...by, board: "made" }],
    ["info", { ...by, lease: leaseId, force: true }],
    ["info", { ...by, limiter: "made", force: true }],
  ]);
  expect(JSON.stringify(server.log.lines)).not.toContain(result.value.secret);
});
