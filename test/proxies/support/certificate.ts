/** A certificate for loopback that no one trusts. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes `backpressure.crt`, `backpressure.key`, and `backpressure.pem`, which has both. */
export function writeCertificate(folder: string): void {
  const [certificate, key] = [join(folder, "backpressure.crt"), join(folder, "backpressure.key")];
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
  const request =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext";
  execFileSync("openssl", [...request.split(" "), names, "-keyout", key, "-out", certificate], { stdio: "pipe" });
  writeFileSync(join(folder, "backpressure.pem"), Buffer.concat([readFileSync(certificate), readFileSync(key)]));
}
