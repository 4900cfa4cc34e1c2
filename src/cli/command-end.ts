/** How a command has ended, as shells say it. */

import { RUN_EXIT } from "./exit-codes.ts";
import type { CommandEnd } from "./running-command.ts";
import { exitCodeOf } from "./signals.ts";

export function exitCodeOfEnd(end: CommandEnd): number {
  switch (end.kind) {
    case "exited":
      return end.code;
    case "signalled":
      return exitCodeOf(end.signal);
    case "unstartable":
      return end.isMissing ? RUN_EXIT.notFound : RUN_EXIT.notExecutable;
  }
}
