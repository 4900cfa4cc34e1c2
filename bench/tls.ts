/** What TLS costs: unary calls over it against the same calls in plain text, in turns. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority } from "../test/support/certificates.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs, tryAcquires } from "./load/verbs.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, type Side } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { type UnderLoad, underLoad } from "./support/under-load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** ms of one side in one round. */
const SHARE = 700;
const TURNS = { rounds: 30, warmUp: 4 };
const LIMITERS = "limiters: [{ name: db, max_rps: 1000000, max_concurrent: 1000 }, { name: api, max_rps: 1000000 }]\n";

await using cleanup = new AsyncDisposableStack();
pinLoad();
const folder = mkdtempSync(join(tmpdir(), "bench-tls-"));
cleanup.defer(() => rmSync(folder, { recursive: true }));
const authority = await createAuthority("bench");
const leaf = await authority.issue();
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};
const tls = { cert_file: write("tls.crt", leaf.cert), key_file: write("tls.key", leaf.key) };
const servers = {
  plain: { server: cleanup.use(await startMeasured(LIMITERS)), ca: undefined },
  tls: { server: cleanup.use(await startMeasured(`${LIMITERS}tls: ${JSON.stringify(tls)}\n`)), ca: authority.cert },
};
const VERBS = {
  TryAcquire: { verb: tryAcquires, limiter: "api" },
  "TryAcquire + Release": { verb: pairs, limiter: "db" },
};

const loads = new Map<string, UnderLoad>();
for (const [name, { verb, limiter }] of Object.entries(VERBS)) {
  for (const [where, { server, ca }] of Object.entries(servers)) {
    const work = cleanup.use(
      await verb({ address: server.address, clients: CONNECTIONS, limiter, ca, ...ONE_LIMITER }),
    );
    loads.set(`${name} ${where}`, underLoad(server, work, { inFlight: IN_FLIGHT, duration: SHARE }));
  }
}
const sides = Object.fromEntries([...loads].map(([key, { side }]) => [key, side])) as Record<string, Side>;
const cpu = await inTurns(sides, TURNS);
const cpuOf = (name: string, where: string) => cpu[`${name} ${where}`] ?? [];
const rates = (name: string, where: string) =>
  (loads.get(`${name} ${where}`)?.rounds ?? []).slice(TURNS.warmUp).map(({ rate }) => rate);

const figures: Figure[] = Object.keys(VERBS).flatMap((name) => [
  {
    what: `${name}: over TLS, to plain text, for a second of server CPU`,
    unit: "×",
    spread: ratioOf(cpuOf(name, "plain"), cpuOf(name, "tls")),
    target: atLeast(0.9),
  },
  { what: "— over TLS", unit: "/s", spread: spreadOf(rates(name, "tls")) },
  { what: "— in plain text", unit: "/s", spread: spreadOf(rates(name, "plain")) },
]);

report({ name: "tls", figures, notes: [pinning()] });
