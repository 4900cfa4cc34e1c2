/** A server with TLS, for what no other says of itself. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority } from "../../support/certificates.ts";
import { startServerProcess } from "../../support/server-process.ts";
import { unusedPort } from "../../support/unused-port.ts";

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
  const metrics = `127.0.0.1:${await unusedPort()}`;
  const server = await startServerProcess(`metrics: { listen: "${metrics}" }\ntls: ${JSON.stringify(files)}\n`);
  return {
    metrics,
    spoilCertificate: () => writeFileSync(files.cert_file, "nonsense"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
