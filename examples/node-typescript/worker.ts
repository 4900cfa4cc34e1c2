/**
 * Holds a lease while it works, with the typed client: it waits its turn, stops when the lease is lost, and gives it back.
 */

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AdmissionError, connect } from "ggen-backpressure";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "localhost:50051" },
    limiter: { type: "string", default: "sample" },
    permits: { type: "string", default: "1" },
    /** s to wait at most. */
    "max-wait": { type: "string", default: "60" },
    /** s that the work takes. */
    work: { type: "string", default: "5" },
    /** For an address of https://: the server's authority, this client's certificate and its private key, in PEM. */
    "ca-file": { type: "string" },
    "cert-file": { type: "string" },
    "key-file": { type: "string" },
    /** A file with this client's token. */
    "token-file": { type: "string" },
  },
});

// Aborting it ends the work, or the wait for it.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort(new Error("interrupted")));

const { "ca-file": caFile, "cert-file": certFile, "key-file": keyFile, "token-file": tokenFile } = values;
await using client = connect(values.address, {
  holder: "examples/node-typescript",
  tls: caFile || certFile ? { caFile, certFile, keyFile } : undefined,
  // Asked again before the token ends: what Kubernetes mounts changes.
  token: tokenFile ? async () => (await readFile(tokenFile, "utf8")).trim() : undefined,
});

try {
  await client.withLease(
    values.limiter,
    {
      permits: Number(values.permits),
      maxWait: Number(values["max-wait"]) * 1000,
      signal: stop.signal,
      onWaiting: ({ waitersAhead }) => console.log(`waiting, ${waitersAhead} before me`),
      onRevoking: ({ message }) => stop.abort(new Error(`an operator asks for the lease back: ${message}`)),
    },
    async (lease, signal) => {
      console.log(`holding ${lease.id} under fencing token ${lease.claims[0]?.fencingToken}`);
      await sleep(Number(values.work) * 1000, undefined, { signal });
    },
  );
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}

function explain(error: unknown): string {
  if (error instanceof AdmissionError) return `${error.reason}: ${error.message}`;
  // The work was stopped; the cause is the reason with which its signal has aborted.
  if (error instanceof Error && error.name === "AbortError") return String(error.cause);
  return String(error);
}
