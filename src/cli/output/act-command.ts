/** What an operator may do, as commands of this program. */

import type { Act } from "../../explain/act.ts";

/** Returns the arguments of the command that does it; undefined: there is nothing to do. What is to be chosen is in capitals. */
export function actCommand(act: Act): readonly string[] | undefined {
  switch (act.kind) {
    case "revoke":
      return ["revoke", act.leaseId];
    case "wait":
      return undefined;
    case "resume":
      return ["limiters", "resume", act.limiter];
    case "raise-concurrency":
      return ["limiters", "set", act.limiter, "--max-concurrent", "N"];
    case "raise-rate":
      return ["limiters", "set", act.limiter, "--rate", "RATE"];
    case "lengthen-queue":
      return ["limiters", "set", act.limiter, "--max-waiters", "N"];
    case "cancel-waiter":
      return ["cancel", act.waiterId];
    case "look-at":
      return ["explain", act.limiter, ...(act.key === "" ? [] : ["--key", act.key])];
    case "force-delete":
      return ["limiters", "delete", act.limiter, "--force"];
  }
}

const PLAIN = /^[\w./:@%+=-]+$/;

/** `backpressure explain tenants --key 'a b'`, as a shell reads it. */
export function commandLine(args: readonly string[]): string {
  const words = args.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["backpressure", ...words].join(" ");
}
