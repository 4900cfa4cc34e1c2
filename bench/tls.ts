/** What TLS costs: unary calls over it against the same calls in plain text, in turns. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority } from "../test/support/certificates.ts";
import { ONE_LIMITER } from "./load/subjects.ts";
import { pairs, tryAcquires } from "./load/verbs.ts";
import { pinLoad, pinning, startMeasured } from "./servers/measured.ts";
import { inTurns, meanOf } from "./support/in-turns.ts";
import { atLeast, type Figure, report } from "./support/report.ts";
import { ratioOf, spreadOf } from "./support/spread.ts";
import { type UnderLoad, underLoad } from "./support/under-load.ts";

const IN_FLIGHT = 64;
const CONNECTIONS = 4;
/** ms of one server in one round. */
const SHARE = 250;
const TURNS = { rounds: 40, warmUp: 6 };
/** Of each kind. */
const SERVERS = 3;
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
const KINDS = {
  plain: { yaml: LIMITERS, ca: undefined },
  tls: { yaml: `${LIMITERS}tls: ${JSON.stringify(tls)}\n`, ca: authority.cert },
};
const VERBS = {
  TryAcquire: { verb: tryAcquires, limiter: "api" },
  "TryAcquire + Release": { verb: pairs, limiter: "db" },
};

/** Those of each verb and kind. */
const loads = new Map<string, UnderLoad[]>();
for (const [kind, { yaml, ca }] of Object.entries(KINDS)) {
  for (let number = 0; number < SERVERS; number += 1) {
    const server = cleanup.use(await startMeasured(yaml));
    for (const [name, { verb, limiter }] of Object.entries(VERBS)) {
      const options = { address: server.address, clients: CONNECTIONS, limiter, ca, ...ONE_LIMITER };
      const load = underLoad(server, cleanup.use(await verb(options)), { inFlight: IN_FLIGHT, duration: SHARE });
      loads.set(`${name} ${kind}`, [...(loads.get(`${name} ${kind}`) ?? []), load]);
    }
  }
}
const sides = Object.fromEntries([...loads].map(([key, all]) => [key, meanOf(all.map(({ side }) => side))]));
const cpu = await inTurns<string>(sides, TURNS);
const cpuOf = (name: string, kind: string) => cpu[`${name} ${kind}`] ?? [];
const rates = (name: string, kind: string) =>
  (loads.get(`${name} ${kind}`) ?? []).flatMap(({ rounds }) => rounds.slice(TURNS.warmUp).map(({ rate }) => rate));

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
