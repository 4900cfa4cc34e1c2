/**
 * `npm run bench`: the benchmarks that answer what a user asks first, one after the other, and the page with what they found. Under ten
 * minutes on two cores. `--only NAME,NAME`: these alone.
 */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SUITE = ["in-process", "unary", "sessions", "hand-off", "workers", "population", "curves"] as const;
/** Asked by address, where one is given: other servers of rate limits. */
const PEERS = [
  { name: "Envoy's ShouldRateLimit", variable: "BENCH_RATELIMIT", verb: "ratelimit", batch: "1" },
  { name: "gubernator's GetRateLimits", variable: "BENCH_GUBERNATOR", verb: "gubernator", batch: "1" },
  { name: "gubernator's GetRateLimits, 100 a call", variable: "BENCH_GUBERNATOR", verb: "gubernator", batch: "100" },
] as const;

const { values } = parseArgs({ options: { only: { type: "string" } } });
const wanted = values.only?.split(",") ?? SUITE;
const unknown = wanted.filter((name) => !SUITE.some((known) => known === name));
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(", ")}; there are ${SUITE.join(", ")}`);

function run(file: string, ...rest: readonly string[]): void {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { status } = spawnSync(process.execPath, [path, ...rest], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

const begun = performance.now();
const seconds = () => ((performance.now() - begun) / 1_000).toFixed(0);
for (const name of SUITE.filter((name) => wanted.includes(name))) {
  process.stdout.write(`\n${name}, after ${seconds()} s\n`);
  run(`${name}.ts`);
}
for (const { name, variable, verb, batch } of PEERS) {
  const address = process.env[variable];
  if (address === undefined) {
    process.stdout.write(`\n${name}: skipped, no server was named (${variable}=HOST:PORT)\n`);
  } else {
    process.stdout.write(`\n${name}, at ${address}\n`);
    run("load.ts", "--address", address, "--verb", verb, "--batch", batch, "--duration", "5");
  }
}
run("write-page.ts");
process.stdout.write(`\n${seconds()} s in all; docs/performance.md has what was found\n`);
