/** Thousands of clients that connect again at one instant, over TLS: what others wait for must not be late. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { createAuthority } from "../support/certificates.ts";
import { createTlsFolder } from "../support/tls-folder.ts";
import { type Bug, withBugs } from "./support/bug.ts";
import { openRecord } from "./support/record.ts";
import { startSubject } from "./support/subject.ts";

const record = openRecord("tls-storm");

const CLIENTS = 2_000;
/** ms. */
const HEARTBEAT = 200;
const LATEST = 250;
const ROUNDS = 3;

const HEARTBEATS = new URL("./support/tls-storm/heartbeats-process.ts", import.meta.url);
/** Whole clients, of which the process that has them makes about one in a millisecond. */
const COMING_BACK = new URL("./support/tls-storm/clients-process.ts", import.meta.url);
/** All that a server has to do for so many, at one instant. */
const HELLOS = new URL("./support/tls-storm/hellos-process.ts", import.meta.url);

const NO_TURNS: Bug = {
  file: "transport/port/tls-listener.ts",
  find: "const HANDSHAKES_A_TURN = 20;",
  replace: "const HANDSHAKES_A_TURN = Number.MAX_SAFE_INTEGER;",
};

interface Sight {
  readonly worst: number;
  readonly beats: number;
}

async function start(storm: URL, bugs: readonly Bug[]) {
  const authority = await createAuthority();
  const leaf = await authority.issue();
  const folder = createTlsFolder();
  const caFile = folder.write("ca.pem", authority.cert);
  const tls = { cert_file: folder.write("tls.crt", leaf.cert), key_file: folder.write("tls.key", leaf.key) };
  const subject = await startSubject(
    `limiters: [{ name: db, max_concurrent: 1, paused: true }]
tls: ${JSON.stringify(tls)}
liveness: { heartbeat: ${HEARTBEAT}ms }
logging: { level: error }`,
    { nodeArguments: withBugs(bugs) },
  );
  const origin = `https://localhost:${subject.ports.grpc}`;
  const waiter = await run(HEARTBEATS, [origin, caFile, String(HEARTBEAT)]);
  const clients = await run(storm, [origin, caFile, String(CLIENTS)]);
  return { subject, waiter, clients };
}

async function run(program: URL, args: readonly string[]): Promise<ChildProcess> {
  const child = fork(fileURLToPath(program), [...args], { execPath: process.execPath, execArgv: [] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

async function ask<T>(child: ChildProcess): Promise<T> {
  child.send("take");
  const [answer] = await once(child, "message");
  return answer as T;
}

/** ms by which a heartbeat was late at most, in the best of some storms: what else this machine does is no one's fault. */
async function latestHeartbeat(
  program: URL,
  bugs: readonly Bug[] = [],
): Promise<{ late: number; took: number; failed: number }> {
  const { subject, waiter, clients } = await start(program, bugs);
  await using _ = subject;
  let late = Number.POSITIVE_INFINITY;
  let took = 0;
  let failed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await ask<Sight>(waiter);
    const storm = await ask<{ took: number; failed: number }>(clients);
    // The heartbeat that was due meanwhile comes by then.
    await new Promise((resolve) => setTimeout(resolve, 2 * HEARTBEAT));
    const { worst } = await ask<Sight>(waiter);
    late = Math.min(late, worst);
    took = storm.took;
    failed += storm.failed;
  }
  return { late, took, failed };
}

test.each([
  { name: "clients connect", program: COMING_BACK },
  { name: "connections begin their handshakes", program: HELLOS },
])(
  `${CLIENTS} $name at once: no heartbeat is more than ${LATEST} ms late`,
  async ({ name, program }) => {
    const { late, took, failed } = await latestHeartbeat(program);
    record({ figure: `${CLIENTS} ${name} at once: latest heartbeat`, value: late, unit: "ms late" });
    record({ figure: `${CLIENTS} ${name} at once: until all are answered`, value: took, unit: "ms" });
    expect(failed).toBe(0);
    expect(late).toBeLessThan(LATEST);
  },
  120_000,
);

test("control: without turns a heartbeat waits for all handshakes", async () => {
  const { late } = await latestHeartbeat(HELLOS, [NO_TURNS]);
  const control = late >= LATEST ? "it was late" : "it was not late";
  record({ figure: "without turns: latest heartbeat", value: late, unit: "ms late", control });
  expect(late).toBeGreaterThan(LATEST);
}, 120_000);
