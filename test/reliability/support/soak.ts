/** A server that is soaked in laps, and what it has when all are gone. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createGrpcClient } from "../../support/grpc-client.ts";
import { statusOf } from "../../support/look.ts";
import type { LapSize, SoakOptions, SoakReport } from "./soak-load.ts";
import { ASK_RESOURCES, type ResourcesAnswer } from "./soak-probe.ts";
import { type Subject, startSubject } from "./subject.ts";

/** What must come back. */
export interface Belongings {
  readonly leases: number;
  readonly permits: number;
  readonly waiters: number;
  readonly descriptors: number;
  readonly timers: number;
  /** All other things that keep the loop alive. */
  readonly handles: number;
}

export interface Soak extends AsyncDisposable {
  readonly subject: Subject;
  /** Resolves when the load is over and gone. */
  lap(size: LapSize): Promise<SoakReport>;
  belongings(): Promise<Belongings>;
  /** The same as soon as they are no more than these, or when patience is over (ms). */
  belongingsBackTo(before: Belongings, patience: number): Promise<Belongings>;
  /** Bytes on the heap after all was collected. */
  heap(): Promise<number>;
}

const LIMITERS = ["streams", "lost", "keyed", "rated"];
const YAML = `
limiters:
  - { name: streams, max_concurrent: 1500, max_waiters: 10000, ttl: 1s, max_ttl: 1s }
  - { name: lost, max_concurrent: 1500, ttl: 1s, max_ttl: 1s }
  - { name: keyed, keyed: true, max_concurrent: 2, max_rps: 100, ttl: 1s, max_ttl: 1s }
  - { name: rated, max_rps: 50, max_concurrent: 20, ttl: 1s, max_ttl: 1s }
# On a machine under load the clients, too, may be kept from answering a ping.
liveness: { keepalive_timeout: 60s }
logging: { level: error }
`;
const HEAP = "--max-old-space-size=512";
const PROBE = new URL("soak-probe.ts", import.meta.url).href;
const LOAD = fileURLToPath(new URL("soak-load-process.ts", import.meta.url));
/** ms between two looks: nothing notifies of a descriptor that is closed. */
const LOOK_AGAIN = 50;

export async function startSoak(nodeArguments: readonly string[] = []): Promise<Soak> {
  await using cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "backpressure-soak-"));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  const subject = cleanup.use(
    await startSubject(`store: { folder: ${folder}/data }\n${YAML}`, {
      nodeArguments: [HEAP, "--import", PROBE, ...nodeArguments],
    }),
  );
  const { process: server, address, url } = subject.server;
  // One connection that stays, so that each look finds it.
  const client = cleanup.use(createGrpcClient(address));
  const own = cleanup.move();

  async function resources(): Promise<ResourcesAnswer["resources"]> {
    server.send({ kind: ASK_RESOURCES });
    for (;;) {
      // The probe of memory answers whatever it is asked.
      const [answer] = (await once(server, "message")) as [object];
      if ("resources" in answer) return (answer as ResourcesAnswer).resources;
    }
  }

  async function belongings(): Promise<Belongings> {
    const statuses = await Promise.all(LIMITERS.map((name) => statusOf(client, name)));
    const sum = (field: "leases" | "permitsInUse" | "waiters") =>
      statuses.reduce((total, status) => total + Number(status[field]), 0);
    const { Timeout = 0, Immediate = 0, ...handles } = await resources();
    return {
      leases: sum("leases"),
      permits: sum("permitsInUse"),
      waiters: sum("waiters"),
      descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
      timers: Timeout + Immediate,
      handles: Object.values(handles).reduce((total, count) => total + count, 0),
    };
  }

  return {
    subject,
    async lap(size) {
      const options: SoakOptions = { address, url, ...size };
      const child = fork(LOAD, [JSON.stringify(options)], { execArgv: [] });
      try {
        const exited = once(child, "exit");
        const ended = exited.then(([code]) => {
          throw new Error(`the load has ended with ${code}`);
        });
        ended.catch(() => {});
        const [report] = (await Promise.race([once(child, "message"), ended])) as [SoakReport];
        await exited;
        return report;
      } finally {
        child.kill("SIGKILL");
      }
    },
    belongings,
    async belongingsBackTo(before, patience) {
      for (const begun = performance.now(); ; await sleep(LOOK_AGAIN)) {
        const now = await belongings();
        const isBack = (Object.keys(before) as (keyof Belongings)[]).every((name) => now[name] <= before[name]);
        if (isBack || performance.now() - begun > patience) return now;
      }
    },
    heap: async () => (await subject.memory()).heap,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}
