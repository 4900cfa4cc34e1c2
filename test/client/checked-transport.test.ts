import type { Transport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { withCheckedTimeouts } from "../../src/client/rpc/checked-transport.ts";

/** What the transport beneath is given. */
async function given(kind: "unary" | "stream", timeoutMs: number | undefined): Promise<number | undefined> {
  let seen: number | undefined;
  const beneath = {
    async unary(_method: unknown, _signal: unknown, ms: number | undefined) {
      seen = ms;
    },
    async stream(_method: unknown, _signal: unknown, ms: number | undefined) {
      seen = ms;
    },
  };
  const checked = withCheckedTimeouts(beneath as unknown as Transport);
  const { renew, acquire } = AdmissionService.method;
  if (kind === "unary") await checked.unary(renew, undefined, timeoutMs, undefined, {});
  else await checked.stream(acquire, undefined, timeoutMs, undefined, (async function* () {})());
  return seen;
}

test.each([
  [827.5, 828],
  [0.1, 1],
  [0, 1],
  [-5, 1],
  [Number.NEGATIVE_INFINITY, 1],
  [1e12, 2 ** 31 - 1],
  [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
])("a timeout of %d ms leaves as %d, of a call and of a stream", async (asked, sent) => {
  expect(await given("unary", asked)).toBe(sent);
  expect(await given("stream", asked)).toBe(sent);
});

test("a call without a timeout keeps its transport's default; a stream has none whatever the default is", async () => {
  expect(await given("unary", undefined)).toBeUndefined();
  expect(await given("stream", undefined)).toBe(0);
});

test("what is no number is refused in words", async () => {
  await expect(given("unary", Number.NaN)).rejects.toThrow("a number of milliseconds");
});
