import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createIds } from "../../src/server/ids.ts";

describe("a lease's secret", () => {
  const key = randomBytes(32);
  const ids = createIds(key);

  it("is the HMAC-SHA-256 of its id under the key, as Node makes it", () => {
    for (const id of ["", "a", "é", ids.next(), "x".repeat(64), "y".repeat(1_024), ids.next()]) {
      expect(ids.secretOf(id)).toBe(createHmac("sha256", key).update(id).digest("base64url"));
    }
  });

  it("is the same under the same key, and another under another", () => {
    const id = ids.next();
    expect(createIds(key).secretOf(id)).toBe(ids.secretOf(id));
    expect(createIds().secretOf(id)).not.toBe(ids.secretOf(id));
  });

  it("opens its own lease alone", () => {
    const [id, other] = [ids.next(), ids.next()];
    const secret = ids.secretOf(id);
    expect(ids.isSecretOf(id, secret)).toBe(true);
    for (const wrong of ["", secret.slice(1), `${secret}A`, ids.secretOf(other), secret.toUpperCase()]) {
      expect(ids.isSecretOf(id, wrong)).toBe(false);
    }
  });
});

describe("an id", () => {
  it("is never given twice, and begins with a letter", () => {
    const ids = createIds();
    const given = new Set(Array.from({ length: 2_000 }, () => ids.next()));
    expect(given.size).toBe(2_000);
    for (const id of given) expect(id).toMatch(/^[A-Za-f][\w-]{19}$/);
  });
});
