/** A server whose data folder is to fail, with the ledger of what it has answered. */

import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LeaseDurability } from "../../../../src/server/store/row.ts";
import { createGrpcClient } from "../../../support/grpc-client.ts";
import { type ServerProcess, startServerProcess } from "../../../support/server-process.ts";
import { withBugs } from "../bug.ts";
import { audit, auditLearning } from "./audit.ts";
import { BUGS, type BugName } from "./bugs.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { BOARD, LIMITER, type Load, startLoad } from "./load.ts";

export interface DiskSubject extends AsyncDisposable {
  /** The one that runs, or ran last. Each has ports of its own: one that is down keeps none. */
  readonly server: ServerProcess;
  readonly folder: string;
  readonly ledger: Ledger;
  /** What it is configured with, but for the listeners. */
  readonly config: string;
  /** Starts it again, with these bugs in its sources. */
  restart(bugs?: readonly BugName[]): Promise<void>;
  /** Starts it again, on a disk that is sound, and holds what it knows against the ledger. */
  audit(options?: { readonly bugs?: readonly BugName[]; readonly learning?: boolean }): Promise<void>;
  load(seed: number): Load;
  /** Ends it at once, if it has not ended by itself. Resolves with all that it has said since it was last asked. */
  end(): Promise<string>;
}

const PERMITS = 8;
const CLIENTS = 6;
const SERVED = `
limiters: [{ name: ${LIMITER}, max_concurrent: ${PERMITS}, ttl: 120s }]
boards: [{ name: ${BOARD}, stages: [{ name: In }, { name: Out, kind: QUEUE, auto_pull: false }] }]
`;

export async function startDiskSubject(
  leases: LeaseDurability,
  firstBugs: readonly BugName[] = [],
): Promise<DiskSubject> {
  await using cleanup = new AsyncDisposableStack();
  const { path: folder } = cleanup.use(mkdtempDisposableSync(join(tmpdir(), "backpressure-data-")));
  const config = `store: { folder: ${folder}, leases: ${leases} }\n${SERVED}`;
  const ledger = createLedger({ permits: PERMITS });
  let server = await start(config, firstBugs);
  cleanup.defer(() => server[Symbol.asyncDispose]());

  async function restart(bugs: readonly BugName[] = []): Promise<void> {
    await server[Symbol.asyncDispose]();
    server = await start(config, bugs);
  }

  const own = cleanup.move();
  return {
    get server() {
      return server;
    },
    folder,
    ledger,
    config,
    restart,
    async audit({ bugs = [], learning = false } = {}) {
      try {
        await restart(bugs);
      } catch (error) {
        return ledger.breach(`it does not start again: ${(error as Error).message}`);
      }
      await using client = createGrpcClient(server.address);
      await (learning ? auditLearning : audit)(client, ledger);
    },
    load: (seed) => startLoad({ address: server.address, ledger, clients: CLIENTS, seed }),
    async end() {
      const said = server.logged(/^(?!)/).catch(({ message }: Error) => message);
      server.signal("SIGKILL");
      await server.exited;
      return (await said) as string;
    },
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

function start(config: string, bugs: readonly BugName[]): Promise<ServerProcess> {
  return startServerProcess(config, { nodeArguments: withBugs(bugs.map((name) => BUGS[name])) });
}
