/** Bugs that a disk that fails brings to light. */

import type { Bug } from "../bug.ts";

export const BUGS = {
  /** What is decided is said at once, kept or not. */
  "answers before it is kept": {
    file: "src/server/store/durable-store.ts",
    find: "return awaited ? done : undefined;",
    replace: "return undefined;",
  },
  "takes a failed write for one that was kept": {
    file: "src/server/store/sqlite/worker.ts",
    find: 'outcome = { kind: "failed", full: ((errcode ?? 0) & 0xff) === SQLITE_FULL, message };',
    replace: 'outcome = { kind: "committed", logGrows: undefined };',
  },
  "takes a full disk for a broken one": {
    file: "src/server/store/sqlite/worker.ts",
    find: "const SQLITE_FULL = 13;",
    replace: "const SQLITE_FULL = -1;",
  },
  "does not wait for the disk": {
    file: "src/server/store/sqlite/commits.ts",
    find: 'durability === "disk" ? "FULL" : "NORMAL"',
    replace: '"NORMAL"',
  },
  "does for operators what it cannot write down": {
    file: "src/server/audit/audited-engines.ts",
    find: 'else say(refusal("NOT_AUDITED"));\n        return;',
    replace: "seq = 0;",
  },
  /** No bug: each start takes the machine for booted anew, as it is after a loss of power. */
  "another boot at each start": {
    file: "src/server/store/durable-store.ts",
    find: "/proc/sys/kernel/random/boot_id",
    replace: "/proc/sys/kernel/random/uuid",
  },
} as const satisfies Record<string, Bug>;

export type BugName = keyof typeof BUGS;
