/** What people on call do with grpcurl where the server speaks TLS and asks who calls. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { Health } from "../../../src/client/gen/grpc/health/v1/health_pb.ts";
import { createAuthority } from "../../support/certificates.ts";
import { type GrpcurlOptions, grpcurl, requireGrpcurl, streamGrpcurl } from "../../support/grpcurl.ts";
import { type Secured, startSecured } from "../../support/secured.ts";

const YAML = `
limiters: [{ name: sample, max_concurrent: 1, ttl: 0s }]
boards: [{ name: orders, stages: [{ name: Orders }, { name: Pack, wip_limit: 2 }, { name: Packed }] }]
`;
const ACQUIRE = `${AdmissionService.typeName}/Acquire`;
const CLAIM = '{"claims":[{"limiter":"sample"}]}';
const UNKNOWN =
  /code = Unauthenticated desc = the server does not know who calls: show a token or a client certificate/;
/** As docs/security.md has it: the variable is put in by grpcurl, since all users may read its arguments. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: grpcurl has these, too.
const BEARER = ["-expand-headers", "-H", "authorization: Bearer ${TOKEN}"];

let secured: Secured;

beforeAll(async () => {
  secured = await startSecured(YAML);
}, 120_000);

afterAll(() => secured?.[Symbol.asyncDispose]());

function byCertificate({ file }: Secured): GrpcurlOptions {
  return { tls: ["-cacert", file("ca.crt"), "-cert", file("worker.crt"), "-key", file("worker.key")] };
}

function byToken({ file }: Secured, token = readFileSync(file("worker.token"), "utf8").trim()): GrpcurlOptions {
  return { tls: ["-cacert", file("ca.crt"), ...BEARER], env: { TOKEN: token } };
}

test.for([
  ["a client certificate", byCertificate],
  ["a token", byToken],
] as const)("with %s it lists, describes, holds until Ctrl-C, and reads a board", async ([, credential], context) => {
  requireGrpcurl(context);
  const { address } = secured;
  const options = credential(secured);
  expect((await grpcurl([address, "list"], options)).stdout).toContain(AdmissionService.typeName);
  expect((await grpcurl([address, "describe", AdmissionService.typeName], options)).stdout).toContain("rpc Acquire");
  const first = streamGrpcurl(["-d", CLAIM, address, ACQUIRE], options);
  expect((await first.messages.next()).value).toHaveProperty("granted");
  const second = streamGrpcurl(["-d", CLAIM, address, ACQUIRE], options);
  expect((await second.messages.next()).value).toHaveProperty("waiting");
  first.process.kill("SIGINT");
  expect((await second.messages.next()).value).toHaveProperty("granted");
  const board = await grpcurl(["-d", '{"name":"orders"}', address, `${BoardService.typeName}/GetBoard`], options);
  expect(JSON.parse(board.stdout)).toMatchObject({ board: { name: "orders" } });
  second.process.kill("SIGINT");
});

test("what may not be done is refused by name, whether it is there or not", async (context) => {
  requireGrpcurl(context);
  const remove = (name: string) =>
    grpcurl(
      ["-d", JSON.stringify({ name }), secured.address, `${BoardService.typeName}/DeleteBoard`],
      byToken(secured),
    );
  for (const name of ["orders", "none"]) {
    const { code, stderr } = await remove(name);
    expect({ code, stderr }).toEqual({ code: 64 + 7, stderr: expect.stringMatching(/NOT_ALLOWED/) });
    expect(stderr).toContain(`board/${name}`);
  }
});

test("without a credential, and with a wrong one, nothing is told; health is", async (context) => {
  requireGrpcurl(context);
  const { address, file } = secured;
  const nobody = { tls: ["-cacert", file("ca.crt")] };
  const wrong = byToken(secured, `bp_worker_${"A".repeat(43)}`);
  for (const options of [nobody, wrong]) {
    expect(await grpcurl([address, "list"], options)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(UNKNOWN),
    });
  }
  // Reflection wants a credential, so the question comes from a file.
  const health = ["-import-path", fileURLToPath(new URL("../../../vendor/grpc", import.meta.url))];
  const check = [...health, "-proto", "grpc/health/v1/health.proto", address, `${Health.typeName}/Check`];
  expect(JSON.parse((await grpcurl(check, nobody)).stdout)).toEqual({ status: "SERVING" });
});

test("another authority is not trusted, on either side, and plain text is not spoken", async (context) => {
  requireGrpcurl(context);
  const { address, file } = secured;
  const others = await createAuthority("others");
  const foreign = await others.issue({ names: [{ type: "url", value: "spiffe://example.com/worker" }] });
  const written = { "other.crt": others.cert, "foreign.crt": foreign.cert, "foreign.key": foreign.key };
  for (const [name, text] of Object.entries(written)) writeFileSync(file(name), text, { mode: 0o600 });
  expect(await grpcurl([address, "list"], { tls: ["-cacert", file("other.crt")] })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/certificate signed by unknown authority/),
  });
  const tls = ["-cacert", file("ca.crt"), "-cert", file("foreign.crt"), "-key", file("foreign.key")];
  expect(await grpcurl([address, "list"], { tls })).toMatchObject({ code: 1, stdout: "" });
  expect(await grpcurl([address, "list"])).toMatchObject({ code: 1, stdout: "" });
  expect((await grpcurl([address, "list"], byCertificate(secured))).code).toBe(0);
});
