/** Data folders for tests, opened as the writing thread does it. */

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INCOMPLETE_KEY, type Row } from "../../../../src/server/store/row.ts";
import { StoreError } from "../../../../src/server/store/sqlite/damage.ts";
import { openStoreFile, type StoreFile, type StoreFileOptions } from "../../../../src/server/store/sqlite/file.ts";

/** An open folder, and the rows that it had. */
export interface ReadFile extends StoreFile {
  readonly rows: readonly Row[];
}

export interface Folder extends Disposable {
  readonly path: string;
  open(options?: Partial<StoreFileOptions>): ReadFile;
  /** What stands in the folder as a crash of the process would leave it now, under another path. */
  crashed(name?: string): string;
}

const BOOT = "this start of the machine";

/** Goes with all that is in it. */
export function createFolder(): Folder {
  const base = mkdtempSync(join(tmpdir(), "backpressure-store-"));
  const path = join(base, "data");
  return {
    path,
    open: (options) => openAt(path, options),
    crashed(name = "crashed") {
      const copy = join(base, name);
      rmSync(copy, { recursive: true, force: true });
      cpSync(path, copy, { recursive: true });
      return copy;
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}

export function openAt(folder: string, options: Partial<StoreFileOptions> = {}): ReadFile {
  return openAndRead({
    folder,
    serves: "gRPC on a:1",
    boot: BOOT,
    leases: "process",
    acceptLoss: false,
    maxMegabytes: 64,
    ...options,
  });
}

export function openAndRead(options: StoreFileOptions): ReadFile {
  let rows: Row[] = [];
  const taker = {
    take: (row: Row) => void rows.push(row),
    again() {
      rows = [];
    },
  };
  const file = openStoreFile(options, taker);
  return { ...file, rows };
}

/** Why a folder is refused; throws where it is not. */
export function refusalOf(open: () => StoreFile): StoreError {
  let file: StoreFile;
  try {
    file = open();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  file.close();
  throw new Error("the folder was not refused");
}

/** Rows by their keys, without the note of what may be missing. */
export function contentsOf({ rows }: { readonly rows: readonly Row[] }): Record<string, string> {
  return Object.fromEntries(rows.filter(({ key }) => key !== INCOMPLETE_KEY).map(({ key, body }) => [key, body]));
}
