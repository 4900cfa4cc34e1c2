/** The checksums of rows and of the head. */

import { crc32 } from "node:zlib";

/** What the database says of itself, in one row. Its checksum is over all fields, in this format and any later one. */
export interface Head {
  readonly format: number;
  /** The number of the last commit. */
  readonly commit: number;
  /** How many rows there are, and the sum of their checksums. */
  readonly rows: number;
  readonly sum: number;
}

export interface StoredRow {
  readonly key: string;
  /** Of the commit that wrote it. */
  readonly number: number;
  readonly checksum: number;
  readonly body: string;
}

export function rowChecksum(key: string, number: number, body: string): number {
  return crc32(`${key}\0${number}\0${body}`);
}

export function headChecksum({ format, commit, rows, sum }: Head): number {
  return crc32(`${format} ${commit} ${rows} ${sum}`);
}
