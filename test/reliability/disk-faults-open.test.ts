/** What a failing disk has shown and is not mended yet. Once one of these is, it turns red here, and loses its `fails`. */

import { beforeEach, expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { acquire } from "../support/acquire.ts";
import { type CallFailure, Code } from "../support/call-failure.ts";
import { createGrpcClient } from "../support/grpc-client.ts";
import { startRestartingServer } from "../support/restarting-server.ts";
import { LOG } from "./support/disk-faults/faults.ts";
import { type Fault, injectFault, requireStrace } from "./support/disk-faults/strace.ts";

const { tryAcquire } = AdmissionService.method;
const LIMITERS = "limiters: [{ name: db, max_concurrent: 10 }]\n";
const SLOW: Fault = { name: "slow fsync", calls: "fsync,fdatasync", effect: "delay_enter=1000000", files: [LOG] };

beforeEach((context) => requireStrace(context));

test.fails("SIGTERM while a grant is on its way to the disk: it is answered, or told UNAVAILABLE", {
  retry: 0,
}, async () => {
  await using server = await startRestartingServer(LIMITERS, "leases: disk");
  await using client = createGrpcClient(server.address);
  await client.call(tryAcquire, { claims: [{ limiter: "db" }] });
  const pid = server.process.process.pid;
  await using _ = await injectFault({ pid, folder: server.folder, fault: SLOW, from: 1 });
  const answer = client.call(tryAcquire, { claims: [{ limiter: "db" }] }).then(
    ({ result }) => result.case,
    ({ code }: CallFailure) => Code[code],
  );
  acquire(client, "db");
  // What is asked after it, on the same connection, is answered when that has been decided.
  await client.call(LimiterService.method.listLeases, { limiter: "db" });
  server.process.signal("SIGTERM");
  expect(["granted", "Unavailable"]).toContain(await answer);
});
