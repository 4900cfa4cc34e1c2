import { describe, expect, it } from "vitest";
import { createStaticTokens, digestOf } from "../../../src/server/auth/static-tokens.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const [first, second] = [`bp_ci_${secret(1)}`, `bp_ci_${secret(2)}`];
const entry = (digests: readonly string[], expiresAt?: number) => ({
  name: "ci",
  digests,
  expiresAt,
  tenant: "builds",
  groups: ["sre"],
});
const hex = (token: string) => digestOf(token).toString("hex");

describe("tokens of an operator", () => {
  it("make their caller", () => {
    const tokens = createStaticTokens([entry([hex(first)])]);
    expect(tokens.callerOf(first, 0)).toMatchObject({
      name: "token:ci",
      kind: "token",
      tenant: "builds",
      groups: ["sre"],
      expiresAt: undefined,
    });
  });

  it("count both while one takes the place of the other, and are one caller by name", () => {
    const both = createStaticTokens([entry([hex(first), hex(second)])]);
    const [a, b] = [both.callerOf(first, 0), both.callerOf(second, 0)];
    expect([a?.name, b?.name]).toEqual(["token:ci", "token:ci"]);
    const one = createStaticTokens([entry([hex(second)])]);
    expect(one.callerOf(first, 0)).toBeUndefined();
    expect(a && one.isKnown(a)).toBe(false);
    expect(b && one.isKnown(b)).toBe(true);
  });

  it("count until they run out", () => {
    const tokens = createStaticTokens([entry([hex(first)], 1_000)]);
    expect(tokens.callerOf(first, 999)).toMatchObject({ expiresAt: 1_000n });
    expect(tokens.callerOf(first, 1_000)).toBeUndefined();
  });

  it.each([
    ["another secret", second],
    ["another name", `bp_cd_${secret(1)}`],
    ["no secret", "bp_ci_"],
    ["more behind it", `${first}x`],
    ["a name of Object's", `bp_constructor_${secret(1)}`],
    ["the digest itself", hex(first)],
  ])("of %s do not count", (_, token) => {
    expect(createStaticTokens([entry([hex(first)])]).callerOf(token, 0)).toBeUndefined();
  });
});
