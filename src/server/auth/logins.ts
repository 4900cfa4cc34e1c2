/**
 * Logins of pages: the token that a person has shown, sealed. A browser keeps it for its page and cannot read it, and without this
 * server's key no login can be made. The key alone makes none either: it takes a token that counts.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

export interface Login {
  readonly token: string;
  /** ms since 1970. */
  readonly until: number;
}

export interface Logins {
  /** Returns text of letters, digits, `-` and `_`. */
  seal(login: Login): string;
  /** Undefined: it is none that this key has sealed. */
  open(sealed: string): Login | undefined;
}

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Of its end, before its token. */
const TIME_BYTES = 8;
/** No key of another purpose is the same, nor would another form of a login be taken for this one. */
const PURPOSE = "ggen-backpressure login 1";

/** `secretKey`: 32 bytes; a restart with the same one knows the logins of before, and each thread those of the others. */
export function createLogins(secretKey: Uint8Array): Logins {
  const key = Buffer.from(hkdfSync("sha256", secretKey, "", PURPOSE, KEY_BYTES));
  return {
    seal({ token, until }) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce);
      const time = Buffer.alloc(TIME_BYTES);
      time.writeDoubleBE(until);
      const text = Buffer.concat([cipher.update(time), cipher.update(token, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString("base64url");
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, "base64url");
      const begin = NONCE_BYTES + TAG_BYTES;
      if (bytes.length < begin + TIME_BYTES) return undefined;
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, begin));
      try {
        const text = Buffer.concat([decipher.update(bytes.subarray(begin)), decipher.final()]);
        return { until: text.readDoubleBE(0), token: text.toString("utf8", TIME_BYTES) };
      } catch {
        // Changed, or sealed by another server.
        return undefined;
      }
    },
  };
}
