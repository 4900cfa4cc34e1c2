/** What is written down of what operators do, and of calls that are refused; nothing where no file is named. */

import type { Log } from "../log.ts";
import type { AuditFile } from "./audit-file.ts";
import type { AuditEvent } from "./line.ts";

export interface AuditLog {
  /** Resolves with the line's number once it is kept. Rejects if that cannot be: then what it tells must not be done. */
  write(event: AuditEvent): Promise<number>;
  /** Writes down what has been done or refused already; a line that cannot be written is said in the log, once a minute. */
  note(event: AuditEvent): void;
  close(): Promise<void>;
}

/** ms between two lines of the log that say that the file cannot be written. */
const COMPLAINT_INTERVAL = 60_000;

export interface AuditLogOptions {
  readonly file: AuditFile;
  readonly log: Log;
  /** ms since 1970. */
  readonly wallTime: () => number;
}

export function createAuditLog({ file, log, wallTime }: AuditLogOptions): AuditLog {
  let complainedAt = Number.NEGATIVE_INFINITY;

  async function write(event: AuditEvent): Promise<number> {
    try {
      return await file.write(event);
    } catch (error) {
      if (wallTime() - complainedAt >= COMPLAINT_INTERVAL) {
        complainedAt = wallTime();
        log.error(
          { event: "audit-not-written", err: error, line: event.event },
          "the audit file cannot be written: nothing is done for operators until it can; free its disk, or its folder",
        );
      }
      throw error;
    }
  }

  return {
    write,
    note(event) {
      write(event).catch(() => {});
    },
    close: () => file.close(),
  };
}
