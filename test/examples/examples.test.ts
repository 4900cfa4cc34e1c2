import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect, type TestContext, test } from "vitest";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { connect } from "../../src/client/index.ts";
import { hold, queue } from "../support/acquire.ts";
import { createAuthority } from "../support/certificates.ts";
import { leasesOf } from "../support/look.ts";
import { type Program, startProgram } from "../support/program.ts";
import { CREDENTIALS, type Secured, startSecured } from "../support/secured.ts";
import { startTestServer } from "../support/server.ts";
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
  function exampleFor(context: TestContext): Example {
    if (example instanceof Lacking) context.skip(example.message);
    return example as Example;
  }

  function start(context: TestContext, { address }: { readonly address: string }, options: Options = {}): Program {
    const { command, env, seconds } = exampleFor(context);
    const { work = 3600, maxWait = 60, ...others } = options;
    const values = { address, work: seconds(work), "max-wait": seconds(maxWait), ...others };
    const flags = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
    return startProgram([...command, ...flags], { env: { ...process.env, ...env } });
  }

  /** Starts it with files of the server's folder. */
  function startSecurely(context: TestContext, { address, file }: Secured, files: Files, work?: number): Program {
    const paths = Object.entries(files).map(([flag, name]) => [flag, file(name)] as const);
    const secured = { address: exampleFor(context).secure(address) };
    return start(context, secured, { ...Object.fromEntries(paths), ...(work && { work }) });
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

  describe("against a secured server", { timeout: 120_000 }, () => {
    test.for(Object.entries(CREDENTIALS))("holds its lease with %s", async ([, { caller, files }], context) => {
      await using secured = await startSecured(SAMPLE);
      const address = `https://${secured.address}`;
      await using client = connect(address, { ...secured.options, answerWithin: 30_000 });
      await using program = startSecurely(context, secured, files);
      await program.until(/^holding/m);
      for await (const lease of client.limiters.leases()) expect(lease.caller).toBe(caller);
      const next = client.acquire("sample");
      program.signal("SIGTERM");
      await using lease = await next;
      expect(lease.valid).toBe(true);
      expect(await program.ended).toMatchObject({ code: 1 });
    });

    test("is refused without a credential, with one that does not count, and where it trusts another authority", async (context) => {
      await using secured = await startSecured(SAMPLE);
      writeFileSync(secured.file("wrong.token"), `bp_worker_${"A".repeat(43)}\n`);
      writeFileSync(secured.file("other.crt"), (await createAuthority("others")).cert);
      const said = async (files: Files) => {
        await using program = startSecurely(context, secured, files, 0.1);
        return await program.ended;
      };
      const trusting: Files = { "ca-file": "ca.crt" };
      for (const files of [trusting, { ...trusting, "token-file": "wrong.token" }]) {
        const { code, printed } = await said(files);
        expect({ code, printed }).toEqual({ code: 1, printed: expect.stringMatching(/^UNAUTHENTICATED: /m) });
      }
      const { code, printed } = await said({ "ca-file": "other.crt", "token-file": "worker.token" });
      expect({ code, printed }).toEqual({ code: 1, printed: expect.stringMatching(/certificate/i) });
      // The control: the same with what counts.
      expect(await said({ "ca-file": "ca.crt", "token-file": "worker.token" })).toMatchObject({ code: 0 });
    });
  });
});

/** Files of a secured server's folder, by flag. */
type Files = Readonly<Record<string, string>>;

interface Options {
  readonly limiter?: string;
  readonly permits?: number;
  /** s */
  readonly work?: number;
  /** s */
  readonly maxWait?: number;
}
