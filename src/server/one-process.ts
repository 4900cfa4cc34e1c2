/** Refuses to start where several processes would serve one port, each with books of its own. */

import cluster from "node:cluster";

export interface ClusterSigns {
  /** Whether node:cluster has forked this process. */
  readonly isWorker: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Returns why this process must not serve; undefined: it may. */
export function reasonNotToServe(
  { isWorker, environment }: ClusterSigns = { isWorker: cluster.isWorker, environment: process.env },
): string | undefined {
  const ofPm2 = environment.pm_id !== undefined || environment.PM2_HOME !== undefined;
  const instance = Number(environment.NODE_APP_INSTANCE ?? 0);
  if (!isWorker && !(ofPm2 && (environment.exec_mode === "cluster_mode" || instance > 0))) return undefined;
  const where = ofPm2 ? "in pm2's cluster mode (or as one of several instances)" : "in a worker of node:cluster";
  const remedy = ofPm2
    ? 'start one instance in fork mode (exec_mode: "fork", instances: 1)'
    : "start it in the primary process, or in a process of its own: npx backpressure serve";
  return (
    `the server was started ${where}. Each worker would share the ports and keep books of its own, so that every limit ` +
    `would be granted once per worker. Run exactly one server: ${remedy}. One process serves tens of thousands of ` +
    "decisions a second; docs/failures.md says what two replicas mean"
  );
}
