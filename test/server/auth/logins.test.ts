import { expect, test } from "vitest";
import { createLogins } from "../../../src/server/auth/logins.ts";

const KEY = Buffer.alloc(32, 1);
const LOGIN = { token: "bp_ci_secret", until: 1_796_040_000_123 };

test("a login is opened by the key that has sealed it, and says nothing to others", () => {
  const sealed = createLogins(KEY).seal(LOGIN);
  expect(createLogins(Buffer.from(KEY)).open(sealed)).toEqual(LOGIN);
  expect(createLogins(Buffer.alloc(32, 2)).open(sealed)).toBe(undefined);
  expect(Buffer.from(sealed, "base64url").includes("bp_ci")).toBe(false);
  expect(createLogins(KEY).seal(LOGIN)).not.toBe(sealed);
});

test("what is changed, cut off or made up is none", () => {
  const { seal, open } = createLogins(KEY);
  const bytes = Buffer.from(seal(LOGIN), "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    expect(open(changed.toString("base64url"))).toBe(undefined);
    expect(open(bytes.subarray(0, at).toString("base64url"))).toBe(undefined);
  }
  for (const made of ["", "x", "=", "%00", "A".repeat(5_000)]) expect(open(made)).toBe(undefined);
});
