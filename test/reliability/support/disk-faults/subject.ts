/** A server whose data folder is to fail, with the ledger of what it has answered. */

import { fileURLToPath } from "node:url";
import type { LeaseDurability } from "../../../../src/server/store/row.ts";
import { createGrpcClient } from "../../../support/grpc-client.ts";
import { type RestartingServer, startRestartingServer } from "../../../support/restarting-server.ts";
import { audit, auditLearning } from "./audit.ts";
import type { BugName } from "./bugs.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { BOARD, LIMITER, type Load, startLoad } from "./load.ts";

export interface DiskSubject extends AsyncDisposable {
  readonly server: RestartingServer;
  readonly ledger: Ledger;
  /** What it is configured with, but for the listeners. */
  readonly config: string;
  /** Starts it, with these bugs in its sources. */
  restart(bugs?: readonly BugName[]): Promise<void>;
  /** Starts it, on a disk that is sound, and holds what it knows against the ledger. */
  audit(options?: { readonly bugs?: readonly BugName[]; readonly learning?: boolean }): Promise<void>;
  load(seed: number): Load;
  /** Ends it at once, if it has not ended by itself. Resolves with all that it has said since it was last asked. */
  end(): Promise<string>;
}

const PERMITS = 8;
const CLIENTS = 6;
const CONFIG = `
limiters: [{ name: ${LIMITER}, max_concurrent: ${PERMITS}, ttl: 120s }]
boards: [{ name: ${BOARD}, stages: [{ name: In }, { name: Out, kind: QUEUE, auto_pull: false }] }]
`;
const WITH_BUG = fileURLToPath(new URL("with-bug.ts", import.meta.url));

export async function startDiskSubject(leases: LeaseDurability): Promise<DiskSubject> {
  const server = await startRestartingServer(CONFIG, `leases: ${leases}`);
  const ledger = createLedger({ permits: PERMITS });

  function restart(bugs: readonly BugName[] = []): Promise<void> {
    const nodeArguments = bugs.length > 0 ? ["--import", WITH_BUG] : [];
    return server.start({ nodeArguments, env: { DISK_FAULTS_BUGS: JSON.stringify(bugs) } });
  }

  return {
    server,
    ledger,
    config: `store: { folder: ${server.folder}, leases: ${leases} }\n${CONFIG}`,
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
      const said = server.process.logged(/^(?!)/).catch(({ message }: Error) => message);
      await server.crash();
      return (await said) as string;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
