/** One who vouches for callers: keys, signed tokens, and a port that serves the keys. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { onTestFinished } from "vitest";

export const ISSUER = "https://issuer.example";
export const AUDIENCE = "backpressure";

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

let made = 0;

export async function createSigningKey(alg = "ES256"): Promise<SigningKey> {
  made += 1;
  const kid = `key-${made}`;
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

/** `lifetime` in s. */
export function sign(key: SigningKey, claims: JWTPayload = {}, lifetime = 600): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: "billing", iat: now, exp: now + lifetime, ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid })
    .sign(key.privateKey);
}

export interface KeyPort {
  readonly url: string;
  keys: readonly JWK[];
  /** Whether it answers with 503. */
  isDown: boolean;
  /** How many times it was asked. */
  readonly asked: number;
}

export async function startKeyPort(keys: readonly JWK[]): Promise<KeyPort> {
  let asked = 0;
  const port = {
    url: "",
    keys,
    isDown: false,
    get asked() {
      return asked;
    },
  };
  const server = createServer((_, response) => {
    asked += 1;
    response.statusCode = port.isDown ? 503 : 200;
    response.end(JSON.stringify({ keys: port.keys }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  port.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  return port;
}
