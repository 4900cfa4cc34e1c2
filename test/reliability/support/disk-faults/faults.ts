/** What may go wrong with the files of a data folder. */

import type { Fault } from "./strace.ts";

export const LOG = "data.db-wal";
export const DATABASE = "data.db";
export const MARK = "mark";
const FOLDER = ".";
const ALL = [DATABASE, LOG, MARK, FOLDER];

const WRITE = "pwrite64,write,ftruncate";
const SYNC = "fsync,fdatasync";

export const LOG_WRITE: Fault = { name: "write of the log: EIO", calls: WRITE, effect: "error=EIO", files: [LOG] };

/** So late that clients have answers of before it, from a server that does not wait for what it says. */
export const LATE_LOG_WRITE: Fault = {
  ...LOG_WRITE,
  name: "late write of the log: EIO",
  effect: "error=EIO:delay_enter=100000",
};

/** Of a server that serves. */
export const SERVING_FAULTS: readonly Fault[] = [
  { name: "fsync of the log: EIO", calls: SYNC, effect: "error=EIO", files: [LOG] },
  LOG_WRITE,
  LATE_LOG_WRITE,
  { name: "write of the mark: EIO", calls: WRITE, effect: "error=EIO", files: [MARK] },
  { name: "any write or fsync: EIO", calls: `${WRITE},${SYNC}`, effect: "error=EIO", files: ALL },
];

export const FULL: Fault = { name: "disk full: ENOSPC", calls: WRITE, effect: "error=ENOSPC", files: [LOG, DATABASE] };

export const AUDIT_FULL: Fault = { ...FULL, name: "no room for the audit file: ENOSPC", files: ["audit.jsonl"] };

/** Nothing fails, but all that is to be on disk takes two seconds more. */
export const SLOW_SYNC: Fault = { name: "slow fsync", calls: SYNC, effect: "delay_enter=2000000", files: [LOG] };

/** Of what has come to the log, and is on its way into the database. */
export const CHECKPOINT_WRITE: Fault = {
  name: "write of the database: EIO",
  calls: WRITE,
  effect: "error=EIO",
  files: [DATABASE],
};
export const CHECKPOINT_SYNC: Fault = { ...CHECKPOINT_WRITE, name: "fsync of the database: EIO", calls: SYNC };

/** Of a server that stops. */
export const STOPPING_FAULT: Fault = { name: "fsync at stop: EIO", calls: SYNC, effect: "error=EIO", files: ALL };

/** Of a server that is about to serve. */
export const STARTING_FAULTS: readonly Fault[] = [
  { name: "read at start: EIO", calls: "pread64,read", effect: "error=EIO", files: ALL },
  { name: "write at start: EIO", calls: WRITE, effect: "error=EIO", files: ALL },
  { name: "fsync at start: EIO", calls: SYNC, effect: "error=EIO", files: ALL },
];
