import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { type Clock, createSystemClock } from "../../../../src/server/clock.ts";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import * as v1 from "../../../../src/server/gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../../../src/server/gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { createReflection } from "../../../../src/server/service/reflection.ts";
import { createPace } from "../../../../src/server/service/reflection-pace.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import { grpcurl, requireGrpcurl } from "../../../support/grpcurl.ts";
import { createHeldService } from "../support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf, ping } from "../support/http2-client.ts";
import { type Port, startGrpc, startWeb } from "../support/ports.ts";

type Question = v1.ServerReflectionRequest["messageRequest"];
type Reply = v1.ServerReflectionResponse["messageResponse"];

const VERSIONS = ["v1", "v1alpha"] as const;
const PORTS: Readonly<Record<string, () => Promise<Port>>> = {
  gRPC: () => startGrpc(services()),
  web: () => startWeb(services()),
};

function services(clock: Clock = createSystemClock()) {
  return [createHeldService().service, ...createReflection([AdmissionService], clock)];
}

/** Asks the questions on one stream, over the wire. */
async function ask(version: (typeof VERSIONS)[number], questions: readonly Question[]): Promise<Reply[]> {
  const { address } = await startGrpc(services());
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });
  async function* requests<Q>() {
    // The two versions are alike but for their names.
    for (const messageRequest of questions) yield { host: "h", messageRequest: messageRequest as Q };
  }
  const replies: Reply[] = [];
  const call =
    version === "v1"
      ? createClient(v1.ServerReflection, transport).serverReflectionInfo(requests<Question>())
      : createClient(v1alpha.ServerReflection, transport).serverReflectionInfo(
          requests<v1alpha.ServerReflectionRequest["messageRequest"]>(),
        );
  for await (const { validHost, originalRequest, messageResponse } of call) {
    expect([validHost, originalRequest?.host]).toEqual(["h", "h"]);
    replies.push(messageResponse as Reply);
  }
  return replies;
}

/** The files in a reply. */
function filesOf(reply: Reply | undefined): FileDescriptorProto[] {
  if (reply?.case !== "fileDescriptorResponse") return [];
  return reply.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

test.each(VERSIONS)("the services are listed, reflection among them: %s", async (version) => {
  const [reply] = await ask(version, [{ case: "listServices", value: "" }]);
  expect(reply?.case === "listServicesResponse" && reply.value.service.map(({ name }) => name)).toEqual([
    "ggen.backpressure.v1.AdmissionService",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
  ]);
});

const ADMISSION = "ggen/backpressure/v1/admission_service.proto";

test.each([
  ["a service", "ggen.backpressure.v1.AdmissionService", ADMISSION],
  ["a method", "ggen.backpressure.v1.AdmissionService.Acquire", ADMISSION],
  ["a message", "ggen.backpressure.v1.AcquireRequest", ADMISSION],
  ["a field", "ggen.backpressure.v1.AcquireRequest.max_wait", ADMISSION],
  ["a oneof", "ggen.backpressure.v1.AcquireResponse.event", ADMISSION],
  ["an enum", "ggen.backpressure.v1.LeaseState", "ggen/backpressure/v1/lease.proto"],
  ["a value of an enum", "ggen.backpressure.v1.LEASE_STATE_ATTACHED", "ggen/backpressure/v1/lease.proto"],
  ["a message that is only imported", "google.protobuf.Duration", "google/protobuf/duration.proto"],
  ["a nested message", "google.protobuf.DescriptorProto.ExtensionRange", "google/protobuf/descriptor.proto"],
  ["an extension", "buf.validate.field", "buf/validate/validate.proto"],
  ["what errors carry", "google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
])("%s is found, in its file", async (_what, value, file) => {
  const [reply] = await ask("v1", [{ case: "fileContainingSymbol", value }]);
  expect(filesOf(reply)[0]?.name).toBe(file);
});

test("a file comes first, with all that it imports, and what a stream has had comes again only if asked for", async () => {
  const lease = "ggen/backpressure/v1/lease.proto";
  const replies = await ask(
    "v1",
    [lease, ADMISSION, lease].map((value) => ({ case: "fileByFilename" as const, value })),
  );
  const [first = [], second = [], again = []] = replies.map((reply) => filesOf(reply));
  expect([first[0]?.name, second[0]?.name]).toEqual([lease, ADMISSION]);
  for (const files of [first, [...first, ...second]]) {
    const names = files.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(names).toEqual(expect.arrayContaining(files.flatMap(({ dependency }) => dependency)));
  }
  expect(again.map(({ name }) => name)).toEqual([lease]);
});

test("extensions are found by what they extend", async () => {
  const containingType = "google.protobuf.FieldOptions";
  const extension = (extensionNumber: number) => ({
    case: "fileContainingExtension" as const,
    value: create(v1.ExtensionRequestSchema, { containingType, extensionNumber }),
  });
  const [numbers, file, none] = await ask("v1", [
    { case: "allExtensionNumbersOfType", value: containingType },
    extension(1159),
    extension(1),
  ]);
  expect(numbers?.case === "allExtensionNumbersResponse" && numbers.value).toMatchObject({
    baseTypeName: containingType,
    extensionNumber: expect.arrayContaining([1159]),
  });
  expect(filesOf(file)[0]?.name).toBe("buf/validate/validate.proto");
  expect(none).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
});

test.each([
  ["a file", { case: "fileByFilename", value: "no.proto" }, 5],
  ["a symbol", { case: "fileContainingSymbol", value: "no.Such" }, 5],
  ["a type", { case: "allExtensionNumbersOfType", value: "no.Such" }, 5],
  ["nothing", { case: undefined }, 3],
] as const)("asking for %s that there is not is answered, and the stream goes on", async (_what, question, code) => {
  const [reply, next] = await ask("v1alpha", [question as Question, { case: "listServices", value: "" }]);
  expect(reply).toMatchObject({ case: "errorResponse", value: { errorCode: code } });
  expect(next?.case).toBe("listServicesResponse");
});

for (const [name, start] of Object.entries(PORTS)) {
  test(`grpcurl lists, describes and calls with no file at hand: the ${name} port`, async (context) => {
    requireGrpcurl(context);
    const { address } = await start();
    expect((await grpcurl([address, "list"])).stdout).toContain("ggen.backpressure.v1.AdmissionService\n");
    const described = await grpcurl([address, "describe", "ggen.backpressure.v1.AcquireRequest.claims"]);
    expect(described.stdout).toContain("(.buf.validate.field) = { repeated: { max_items: 8 } }");
    const method = "ggen.backpressure.v1.AdmissionService/TryAcquire";
    const call = (limiter: string) => grpcurl(["-d", JSON.stringify({ claims: [{ limiter }] }), address, method]);
    expect(await call("l")).toEqual({ stdout: "{}\n", stderr: "", code: 0 });
    const refused = await call("");
    expect(refused.code).toBe(64 + 3);
    // It knows what the details are, since reflection does.
    expect(refused.stderr).toContain('"reason": "INVALID_REQUEST"');
    expect(refused.stderr).toContain('"field": "claims[0].limiter"');
  });
}

test.each(Object.entries(PORTS))("buf curl lists and calls with no file at hand: the %s port", async (_name, start) => {
  const { address } = await start();
  const buf = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)("node_modules/.bin/buf", ["curl", "--http2-prior-knowledge", ...args]);
    return stdout;
  };
  expect(await buf("--list-methods", "--protocol", "grpc", `http://${address}`)).toContain(
    "ggen.backpressure.v1.AdmissionService/TryAcquire\n",
  );
  const url = `http://${address}/ggen.backpressure.v1.AdmissionService/TryAcquire`;
  const data = JSON.stringify({ claims: [{ limiter: "l" }] });
  expect(JSON.parse(await buf("--protocol", "grpc", "-d", data, url))).toEqual({});
});

const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const QUESTION = envelope(
  toBinary(
    v1.ServerReflectionRequestSchema,
    create(v1.ServerReflectionRequestSchema, {
      messageRequest: { case: "fileContainingSymbol", value: "ggen.backpressure.v1.AdmissionService" },
    }),
  ),
);

test.each([
  ["gRPC", startGrpc],
  ["web", startWeb],
] as const)(
  "one connection is given so many bytes and no more, and its other calls go on: %s",
  async (_name, start) => {
    const { address } = await start(services(createFakeClock()));
    const session = connectHttp2(address);
    await ping(session);
    let received = 0;
    const flood = async () => {
      const call = openGrpcCall(session, REFLECTION);
      call.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      let isOver = false;
      // Once the server has answered it reads no more, and a write that waits for it would wait for the server's clock.
      const over = new Promise<void>((resolve) => {
        for (const event of ["end", "close"]) {
          call.once(event, () => {
            isOver = true;
            resolve();
          });
        }
      });
      const questions = Buffer.concat(Array.from({ length: 50 }, () => QUESTION));
      while (!isOver && received < 100 << 20) {
        await Promise.race([over, new Promise<void>((resolve) => call.write(questions, () => resolve()))]);
      }
      call.close();
      await over;
    };
    // Streams that follow each other share what their connection has.
    for (let i = 0; i < 5; i += 1) await flood();
    expect(received).toBeGreaterThan(1 << 20);
    expect(received).toBeLessThan(12 << 20);
    const call = openGrpcCall(session, "/ggen.backpressure.v1.AdmissionService/TryAcquire");
    call.end(envelope(new Uint8Array([10, 3, 10, 1, 108])));
    expect((await outcomeOf(call)).status).toBe("0");
  },
  60_000,
);

test("a peer's burst comes back with time, and is its own", () => {
  const clock = createFakeClock();
  const pace = createPace(clock);
  pace.spend("a", 9 << 20);
  expect([pace.wait("a"), pace.wait("b")]).toEqual([1 << 20, 0]);
  clock.advance(1 << 20);
  expect(pace.wait("a")).toBe(0);
});
