/** A server with TLS and an issuer of tokens, for what no other says of itself. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { createAuthority } from "../../support/certificates.ts";
import { AUDIENCE, createSigningKey, ISSUER } from "../../support/identity-provider.ts";
import { scrape } from "../../support/scrape.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { unusedPort } from "../../support/unused-port.ts";

/** Its keys are loaded after it serves. */
const KEYS_LOADED = 'backpressure_issuer_keys_loaded_timestamp_seconds{issuer="idp"}';

export interface TlsServer extends AsyncDisposable {
  /** host:port of its metrics, in plain text. */
  readonly metrics: string;
  /** Writes something else in the place of its certificate. */
  spoilCertificate(): void;
}

/** `folder`: for its files. */
export async function startTlsServer(folder: string): Promise<TlsServer> {
  const { cert, key } = await (await createAuthority()).issue();
  const files = { cert_file: join(folder, "tls.crt"), key_file: join(folder, "tls.key") };
  writeFileSync(files.cert_file, cert);
  writeFileSync(files.key_file, key, { mode: 0o600 });
  const keys = join(folder, "keys.json");
  writeFileSync(keys, JSON.stringify({ keys: [(await createSigningKey()).jwk] }));
  const jwt = [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { file: keys } }];
  const metrics = `127.0.0.1:${await unusedPort()}`;
  const fields = { metrics: { listen: metrics }, tls: files, allow_anonymous: true, auth: { jwt } };
  const yaml = Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  const server = await startServerProcess(yaml.join(""));
  await vi.waitFor(async () => (await scrape(`http://${metrics}`)).value(KEYS_LOADED), 20_000);
  return {
    metrics,
    spoilCertificate: () => writeFileSync(files.cert_file, "nonsense"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
