/** buf curl, which speaks all three protocols and learns the contract by reflection. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { startTestServer } from "../../support/server.ts";

const BUF = fileURLToPath(new URL("../../../node_modules/.bin/buf", import.meta.url));
const run = promisify(execFile);

test.concurrent.each([
  ["grpc", "address"],
  ["grpc", "url"],
  ["grpcweb", "url"],
  ["connect", "url"],
] as const)("a script speaks %s to the server's %s with nothing but reflection", async (protocol, port) => {
  await using server = await startTestServer("limiters: [{ name: db, max_concurrent: 1 }]");
  const base = port === "url" ? server.url : `http://${server.address}`;
  const flags = ["curl", "--http2-prior-knowledge", "--protocol", protocol, "--reflect"];
  const curl = async (method: string, request: unknown) => {
    const { stdout } = await run(BUF, [...flags, "-d", JSON.stringify(request), `${base}/${method}`]);
    return JSON.parse(stdout);
  };
  const taken = await curl(`${AdmissionService.typeName}/TryAcquire`, { claims: [{ limiter: "db" }], ttl: "60s" });
  expect(taken).toMatchObject({ granted: { lease: { claims: [{ limiter: "db" }] } } });
  const seen = await curl(`${LimiterService.typeName}/GetLimiter`, { name: "db" });
  expect(seen).toMatchObject({ limiter: { status: { permitsInUse: "1", leases: "1" } } });
});
