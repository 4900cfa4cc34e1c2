import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { PermissionDeniedError, UnauthenticatedError } from "../../src/client/api/errors.ts";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { ErrorInfoSchema } from "../../src/client/gen/google/rpc/error_details_pb.ts";
import { withToken } from "../../src/client/rpc/authorized-transport.ts";
import { type Credentials, createCredentials, type TokenSource } from "../../src/client/rpc/credentials.ts";
import { toClientError } from "../../src/client/wire/error.ts";
import { createFakeClock } from "./support/fake-clock.ts";

/** A server that knows one token, and streams until the test ends them. */
function serverWith(isKnown: (token: string) => boolean) {
  const seen: string[] = [];
  const check = (header: Headers) => {
    const token = (header.get("authorization") ?? "").replace("Bearer ", "");
    seen.push(token);
    if (!isKnown(token)) throw new ConnectError("say who you are", Code.Unauthenticated);
  };
  const transport = createRouterTransport(({ service }) => {
    service(AdmissionService, {
      tryAcquire(_, { requestHeader }) {
        check(requestHeader);
        return {};
      },
      async *acquire(_, { requestHeader, signal }) {
        check(requestHeader);
        yield { event: { case: "waiting", value: {} } };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
  });
  return { transport, seen };
}

function clientOf(transport: ReturnType<typeof serverWith>["transport"], source: TokenSource) {
  const credentials = createCredentials(createFakeClock(), source);
  return { client: createClient(AdmissionService, withToken(transport, credentials)), credentials };
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error) => ConnectError.from(error).code,
  );
}

describe("calls with a token", () => {
  it("carry it", async () => {
    const { transport, seen } = serverWith(() => true);
    await clientOf(transport, "abc").client.tryAcquire({});
    expect(seen).toEqual(["abc"]);
  });

  it("are made once more with another token where the first is refused, and not again", async () => {
    const { transport, seen } = serverWith((token) => token === "new");
    const tokens = ["old", "new"];
    await clientOf(transport, () => tokens.shift() ?? "none").client.tryAcquire({});
    expect(seen).toEqual(["old", "new"]);
    const refusing = serverWith(() => false);
    const source = vi.fn(() => `token${source.mock.calls.length}`);
    expect(await codeOf(clientOf(refusing.transport, source).client.tryAcquire({}))).toBe(Code.Unauthenticated);
    expect(refusing.seen).toHaveLength(2);
  });

  it("are not made again where the token is the same", async () => {
    const { transport, seen } = serverWith(() => false);
    expect(await codeOf(clientOf(transport, "abc").client.tryAcquire({}))).toBe(Code.Unauthenticated);
    expect(await codeOf(clientOf(transport, () => "abc").client.tryAcquire({}))).toBe(Code.Unauthenticated);
    expect(seen).toHaveLength(2);
  });
});

describe("a stream with a token", () => {
  async function openStream(isKnown: (token: string) => boolean, tokens: string[]) {
    const { transport } = serverWith(isKnown);
    const { client, credentials } = clientOf(transport, () => tokens.shift() ?? "none");
    const events = client.acquire({})[Symbol.asyncIterator]();
    return { events, credentials };
  }

  it("ends as if its connection were lost when another token takes the place of its own", async () => {
    const { events, credentials } = await openStream(() => true, ["old", "new"]);
    await events.next();
    const next = codeOf(events.next());
    await credentials.replace("old");
    expect(await next).toBe(Code.Unavailable);
  });

  it("is lost where its token is refused and there is another, which the next stream has", async () => {
    const { events } = await openStream((token) => token === "new", ["old", "new"]);
    expect(await codeOf(events.next())).toBe(Code.Unavailable);
  });

  it("fails where its token is refused and there is no other", async () => {
    const { events } = await openStream(() => false, ["old", "old"]);
    expect(await codeOf(events.next())).toBe(Code.Unauthenticated);
  });

  it("leaves nothing that waits for another token when it has ended", async () => {
    const watched: Credentials = {
      latest: "abc",
      current: async () => "abc",
      replace: async () => false,
      accepted() {},
      onReplaced: () => () => {
        open -= 1;
      },
    };
    let open = 1;
    const { transport } = serverWith(() => true);
    const controller = new AbortController();
    const client = createClient(AdmissionService, withToken(transport, watched));
    const events = client.acquire({}, { signal: controller.signal })[Symbol.asyncIterator]();
    await events.next();
    controller.abort();
    expect(await codeOf(events.next())).toBe(Code.Canceled);
    expect(open).toBe(0);
  });
});

describe("what a client throws", () => {
  it("for a caller that the server does not know is an UnauthenticatedError, which is not retried", () => {
    const error = toClientError(new ConnectError("say who you are", Code.Unauthenticated), "here");
    expect(error).toBeInstanceOf(UnauthenticatedError);
    expect(error).toMatchObject({ code: "UNAUTHENTICATED", retryable: false });
  });

  it("for what a caller may not do is a PermissionDeniedError, which is not retried", () => {
    const info = { desc: ErrorInfoSchema, value: { domain: "ggen.backpressure", reason: "NOT_ALLOWED" } };
    const error = toClientError(new ConnectError("not you", Code.PermissionDenied, undefined, [info]), "here");
    expect(error).toBeInstanceOf(PermissionDeniedError);
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
  });
});
