/** A certificate for loopback that no one trusts, made once for all tests of a file. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string | undefined;

/** Returns the folder of `backpressure.crt`, `backpressure.key`, and `backpressure.pem`, which has both. */
export function certificateFolder(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), "certificate-"));
  const [certificate, key] = [join(made, "backpressure.crt"), join(made, "backpressure.key")];
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
  const request =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext";
  execFileSync("openssl", [...request.split(" "), names, "-keyout", key, "-out", certificate], { stdio: "pipe" });
  writeFileSync(join(made, "backpressure.pem"), Buffer.concat([readFileSync(certificate), readFileSync(key)]));
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  folder = made;
  return made;
}
