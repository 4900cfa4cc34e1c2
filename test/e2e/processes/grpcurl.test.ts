/** What people on call do with grpcurl, which knows the contract from the server alone. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LimiterService } from "../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { Health } from "../../../src/client/gen/grpc/health/v1/health_pb.ts";
import { grpcurl, requireGrpcurl, streamGrpcurl } from "../../support/grpcurl.ts";
import { startTestServer } from "../../support/server.ts";

const SAMPLE = "limiters: [{ name: sample, max_concurrent: 1, ttl: 0s }]";
const ACQUIRE = `${AdmissionService.typeName}/Acquire`;
const CLAIM = '{"claims":[{"limiter":"sample"}]}';

test("the server says what it serves, and what each of it means", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(SAMPLE);
  const listed = await grpcurl([server.address, "list"]);
  const services = [AdmissionService, LimiterService, Health].map(({ typeName }) => typeName);
  expect(listed.stdout.split("\n")).toEqual(expect.arrayContaining(services));
  const service = await grpcurl([server.address, "describe", AdmissionService.typeName]);
  expect(service.stdout).toMatch(/rpc Acquire \( \.\S+AcquireRequest \) returns \( stream \.\S+AcquireResponse \)/);
  const message = await grpcurl([server.address, "describe", AdmissionService.method.acquire.input.typeName]);
  expect(message.stdout).toContain("repeated .ggen.backpressure.v1.Claim claims = 1");
});

test("the second Acquire of the sample waits, and is granted when Ctrl-C ends the first", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(SAMPLE);
  const first = streamGrpcurl(["-d", CLAIM, server.address, ACQUIRE]);
  expect((await first.messages.next()).value).toMatchObject({
    granted: { lease: { claims: [{ limiter: "sample", permits: 1 }], ttl: "0s" } },
  });
  const second = streamGrpcurl(["-d", CLAIM, server.address, ACQUIRE]);
  expect((await second.messages.next()).value).toHaveProperty("waiting");
  first.process.kill("SIGINT");
  expect((await second.messages.next()).value).toHaveProperty("granted");
  second.process.kill("SIGKILL");
});

test("a refusal says why, in words and in details that a script can read", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(SAMPLE);
  const refused = await grpcurl(["-d", '{"claims":[{"limiter":"sampel"}]}', server.address, ACQUIRE]);
  expect(refused.code).toBe(64 + 5);
  expect(refused.stderr).toContain("sampel");
  expect(refused.stderr).toContain("LIMITER_NOT_FOUND");
  const wrong = await grpcurl(["-d", '{"claims":[{"limiter":"sample","key":"k"}]}', server.address, ACQUIRE]);
  expect(wrong.stderr).toContain("claims[0].key");
});

test("a load balancer's question is answered", async (context) => {
  requireGrpcurl(context);
  await using server = await startTestServer(SAMPLE);
  const healthy = await grpcurl([server.address, `${Health.typeName}/Check`]);
  expect(JSON.parse(healthy.stdout)).toEqual({ status: "SERVING" });
});
