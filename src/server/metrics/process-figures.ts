/** What the system says of this process. */

import { readdir, readFile } from "node:fs/promises";

export interface ProcessFigures {
  /** µs of all threads, user and system. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  /** ms since 1970. */
  readonly startedAt: number;
  /** Undefined: the system does not say. */
  readonly openFds: number | undefined;
  readonly maxFds: number | undefined;
}

/** `startedAt`: ms since 1970. */
export function createProcessReader(startedAt: number): () => Promise<ProcessFigures> {
  const maxFds = readFile("/proc/self/limits", "utf8").then(softLimit, () => undefined);
  return async () => {
    const openFds = await readdir("/proc/self/fd").then(
      ({ length }) => length,
      () => undefined,
    );
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, memory: process.memoryUsage.rss(), startedAt, openFds, maxFds: await maxFds };
  };
}

function softLimit(limits: string): number | undefined {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return limit === undefined ? undefined : Number(limit);
}
