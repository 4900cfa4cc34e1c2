/** Names the process that has a data folder, for another that finds it in use. The lock is the database's, not this. */

import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

const OWNER = "owner.json";

/** `serves`: where its server is to listen, for people. */
export function noteOwner(folder: string, serves = ""): void {
  const owner = { pid: process.pid, host: hostname(), since: new Date().toISOString(), serves };
  writeFileSync(join(folder, OWNER), JSON.stringify(owner), { mode: 0o600 });
}

/** Returns the owner as the end of a clause; empty where it is unknown. */
export function ownerOf(folder: string): string {
  try {
    const { pid, host, since, serves } = JSON.parse(readFileSync(join(folder, OWNER), "utf8"));
    return ` by process ${pid} on ${host}, since ${since}${serves ? `, which serves ${serves}` : ""}`;
  } catch {
    return "";
  }
}
