/** Which commands there are. */

import type { DefineCommand } from "./session/context.ts";

export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  /** Loads it when it is called for: a command loads no more than it needs. */
  readonly load: () => Promise<DefineCommand>;
}

const HOLD: readonly CommandEntry[] = [
  {
    name: "run",
    description: "hold a lease while a command runs",
    load: async () => (await import("./commands/run.ts")).defineRun,
  },
  {
    name: "acquire",
    description: "wait for a lease; hold it, or give it back at once",
    load: async () => (await import("./commands/acquire.ts")).defineAcquire,
  },
  {
    name: "try",
    description: "take a lease if that is possible at once, and give it back",
    load: async () => (await import("./commands/try.ts")).defineTry,
  },
];

const OPERATE: readonly CommandEntry[] = [
  {
    name: "top",
    description: "limiters and boards as they change, those in trouble first",
    load: async () => (await import("./commands/top.ts")).defineTop,
  },
  {
    name: "explain",
    description: "say why a limiter stands still, and what may be done",
    load: async () => (await import("./commands/explain.ts")).defineExplain,
  },
  {
    name: "limiters",
    description: "list, watch and change limiters",
    load: async () => (await import("./commands/limiters.ts")).defineLimiters,
  },
  {
    name: "leases",
    description: "leases, the longest held first",
    load: async () => (await import("./commands/leases.ts")).defineLeases,
  },
  {
    name: "waiters",
    description: "waiters, in the order of arrival",
    load: async () => (await import("./commands/waiters.ts")).defineWaiters,
  },
  {
    name: "revoke",
    description: "ask a holder for its lease back",
    load: async () => (await import("./commands/revoke.ts")).defineRevoke,
  },
  {
    name: "cancel",
    description: "take a waiter out of the queue",
    load: async () => (await import("./commands/cancel.ts")).defineCancel,
  },
];

const WORK: readonly CommandEntry[] = [
  {
    name: "board",
    description: "see a board, add cards, pull them and work on them",
    load: async () => (await import("./commands/board.ts")).defineBoard,
  },
];

const SERVE: readonly CommandEntry[] = [
  {
    name: "serve",
    description: "start the server",
    load: async () => (await import("./commands/serve.ts")).defineServe,
  },
  {
    name: "check",
    description: "say what is wrong with a configuration",
    load: async () => (await import("./commands/check.ts")).defineCheck,
  },
  {
    name: "access",
    description: "say what the access list of a configuration allows a caller, and which entry does",
    load: async () => (await import("./commands/access.ts")).defineAccess,
  },
  {
    name: "token",
    description: "make a token for a client, and the entry for the server's file",
    load: async () => (await import("./commands/token.ts")).defineToken,
  },
  {
    name: "audit",
    description: "say whether an audit file is as it was written",
    load: async () => (await import("./commands/audit.ts")).defineAudit,
  },
  {
    name: "diff",
    description: "say what of a configuration differs from what the server runs",
    load: async () => (await import("./commands/diff.ts")).defineDiff,
  },
  {
    name: "doctor",
    description: "say what is wrong with a server, and what to do",
    load: async () => (await import("./commands/doctor.ts")).defineDoctor,
  },
  {
    name: "health",
    description: "say whether the server serves",
    load: async () => (await import("./commands/health.ts")).defineHealth,
  },
];

const SETUP: readonly CommandEntry[] = [
  {
    name: "completion",
    description: "print the script that has a shell complete commands and names",
    load: async () => (await import("./commands/completion.ts")).defineCompletion,
  },
];

/** As `--help` shows them. */
export const COMMAND_GROUPS = [
  ["Hold:", HOLD],
  ["Work on boards:", WORK],
  ["Look and step in:", OPERATE],
  ["Serve:", SERVE],
  ["Set up:", SETUP],
] as const;
