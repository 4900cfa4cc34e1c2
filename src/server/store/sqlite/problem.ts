/** Turns what was thrown for a data folder into a message with a remedy. */

import { damaged, StoreError } from "./damage.ts";
import { ownerOf } from "./owner.ts";

const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;

/** Returns the error for what was thrown while the folder was opened; rethrows a bug. */
export function problemOf(error: unknown, folder: string): StoreError {
  if (error instanceof StoreError) return error;
  const { errcode, message } = error as Error & { errcode?: number };
  const unusable = (why: string) =>
    new StoreError("unusable", `the data folder ${folder} cannot be used: ${why}`, { cause: error });
  // An error of the file system.
  if ("syscall" in (error as Error)) return unusable(`${message}; it has to be a folder that this user may write to`);
  if (errcode === undefined) throw error;
  switch (errcode & 0xff) {
    case SQLITE_BUSY:
      return new StoreError(
        "held",
        `the data folder ${folder} is in use${ownerOf(folder)}; stop that server, or choose another folder`,
      );
    case SQLITE_FULL:
      return unusable(`${message}; make room on its disk, or raise store.max_megabytes`);
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return unusable(`${message}; it has to be a folder that this user may write to`);
    case SQLITE_READONLY:
      // The file itself is writable, which was checked before: so the database's header says that it is not.
      return damaged(folder, `its database says that it may not be written (${message})`, error);
    default:
      return damaged(folder, `its database cannot be read (${message})`, error);
  }
}
