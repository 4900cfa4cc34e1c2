import { beforeAll, describe, expect, type TestContext, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { hold, queue } from "../support/acquire.ts";
import { leasesOf } from "../support/look.ts";
import { type Program, startProgram } from "../support/program.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { type Example, Lacking, prepareGo, prepareNode, preparePython } from "./support/toolchain.ts";

/** ms; toolchains fetch and compile. */
const PREPARATION = 300_000;

const SAMPLE = "limiters: [{ name: sample, max_concurrent: 1, ttl: 1h, max_ttl: 1h }]";

describe.each([
  ["go", prepareGo],
  ["python", preparePython],
  ["node-typescript", prepareNode],
])("the example in examples/%s", (_, prepare) => {
  let example: Example | Lacking;

  beforeAll(async () => {
    example = await prepare().catch((error: unknown) => {
      if (error instanceof Lacking) return error;
      throw error;
    });
  }, PREPARATION);

  /** Skips the test, by name, where the machine lacks something. */
  function start(context: TestContext, { address }: TestServer, options: ExampleOptions = {}): Program {
    if (example instanceof Lacking) context.skip(example.message);
    const { command, env, seconds } = example as Example;
    const { work = 3600, maxWait = 60, ...others } = options;
    const values = { address, work: seconds(work), "max-wait": seconds(maxWait), ...others };
    const flags = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
    return startProgram([...command, ...flags], { env: { ...process.env, ...env } });
  }

  test("waits its turn, holds a lease while it works, and gives it back", async (context) => {
    await using server = await startTestServer(SAMPLE);
    const others = server.grpc();
    const first = await hold(others, "sample");
    await using program = start(context, server, { work: 0.2 });
    await program.until(/^waiting, 0 before me$/m);
    const last = await queue(others, "sample");
    first.cancel();
    await program.until(/^holding \S+ under fencing token \d+$/m);
    await last.next("granted");
    expect(await program.ended).toMatchObject({ code: 0 });
  });

  test("gives its lease back at once when it is asked to stop", async (context) => {
    await using server = await startTestServer(SAMPLE);
    await using program = start(context, server);
    await program.until(/^holding/m);
    const next = await queue(server.grpc(), "sample");
    program.signal("SIGTERM");
    await next.next("granted");
    expect(await program.ended).toMatchObject({ code: 1 });
  });

  test("leaves the queue when it is asked to stop", async (context) => {
    await using server = await startTestServer(SAMPLE);
    const others = server.grpc();
    const first = await hold(others, "sample");
    await using program = start(context, server);
    await program.until(/^waiting/m);
    const next = await queue(others, "sample");
    program.signal("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 1 });
    first.cancel();
    await next.next("granted");
  });

  test.for([
    ["CLAIM_EXCEEDS_LIMIT", { permits: 2 }],
    ["LIMITER_NOT_FOUND", { limiter: "none" }],
    ["WAIT_TIMEOUT", { maxWait: 0.1 }],
  ] as const)("says why it is refused: %s", async ([reason, options], context) => {
    await using server = await startTestServer(SAMPLE);
    await hold(server.grpc(), "sample");
    await using program = start(context, server, options);
    const { code, printed } = await program.ended;
    expect({ code, printed }).toEqual({ code: 1, printed: expect.stringMatching(new RegExp(`^${reason}: `, "m")) });
  });

  test.for([
    ["asks for the lease back, and gives it back", false, /an operator asks for the lease back: maintenance/],
    ["takes the lease away", true, /an operator revoked the lease/],
  ] as const)("stops when an operator %s", async ([, force, said], context) => {
    await using server = await startTestServer(SAMPLE);
    const operator = server.grpc();
    await using program = start(context, server);
    await program.until(/^holding/m);
    const [lease] = await leasesOf(operator);
    const next = await queue(operator, "sample");
    await operator.call(LimiterService.method.revokeLease, { leaseId: lease?.id ?? "", force, message: "maintenance" });
    expect(await program.ended).toMatchObject({ code: 1, printed: expect.stringMatching(said) });
    await next.next("granted");
  });
});

interface ExampleOptions {
  readonly limiter?: string;
  readonly permits?: number;
  /** s */
  readonly work?: number;
  /** s */
  readonly maxWait?: number;
}
