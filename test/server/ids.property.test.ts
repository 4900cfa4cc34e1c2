/** Ids and secrets, whatever an id is made of. */

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createIds } from "../../src/server/ids.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** As long as the contract lets one be, in bytes. */
const id = fc.string({ unit: "grapheme", maxLength: 250 }).filter((text) => Buffer.byteLength(text) <= 1_024);

describe("a secret", () => {
  it("is the HMAC-SHA-256 of whatever id under whatever key, however long those before it were", () => {
    fc.assert(
      fc.property(key, fc.array(id, { minLength: 1, maxLength: 5 }), (bytes, texts) => {
        const ids = createIds(bytes);
        for (const text of texts) {
          expect(ids.secretOf(text)).toBe(createHmac("sha256", bytes).update(text).digest("base64url"));
        }
      }),
    );
  });

  it("that differs in one letter, or by one, opens nothing", () => {
    fc.assert(
      fc.property(key, id, fc.nat(), fc.constantFrom("", "A", "b", "é", "AA"), (bytes, text, where, put) => {
        const ids = createIds(bytes);
        const secret = ids.secretOf(text);
        const at = where % secret.length;
        const wrong = secret.slice(0, at) + put + secret.slice(at + 1);
        expect(ids.isSecretOf(text, wrong)).toBe(wrong === secret);
        expect(ids.isSecretOf(text, secret)).toBe(true);
      }),
    );
  });
});
