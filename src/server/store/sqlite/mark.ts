/**
 * The high-water mark: which commit was the last, kept beside the database.
 *
 * SQLite's log ends silently at its first damaged frame, so a loss looks like an end. The mark tells the difference. It
 * is two slots that are written in turns, so that a torn write leaves the other.
 */

import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { LeaseDurability } from "../row.ts";

export interface Mark {
  /** The number of the last commit. */
  readonly commit: number;
  /** The number of the last commit that had to be on disk before it was answered. */
  readonly onDisk: number;
  /** The id of the machine's boot under which it was written; empty where that cannot be known. */
  readonly boot: string;
  /** How durable leases were then. */
  readonly leases: LeaseDurability;
  /** Whether the folder was closed in order, with everything on disk. */
  readonly closed: boolean;
}

export interface MarkFile {
  /** Returns the latest whole mark; undefined if none was written. Throws `damaged` if neither slot can be read. */
  read(): Mark | undefined;
  write(mark: Mark): void;
  sync(): void;
  close(): void;
}

const SLOT_BYTES = 256;

/** A mark in its slot, with how many were written before it. */
type Written = Mark & { readonly turn: number };

export function openMark(path: string, damaged: (what: string) => Error): MarkFile {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let turn = 0;

  function readSlot(slot: number): Written | undefined {
    const bytes = Buffer.alloc(SLOT_BYTES);
    readSync(fd, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
    const [checksum = "", text] = bytes.toString("utf8").trimEnd().split("\t");
    return text !== undefined && Number.parseInt(checksum, 16) === crc32(text) ? JSON.parse(text) : undefined;
  }

  return {
    read() {
      const slots = [readSlot(0), readSlot(1)].filter((slot) => slot !== undefined);
      const [latest] = slots.sort((a, b) => b.turn - a.turn);
      const empty = readSync(fd, Buffer.alloc(1), 0, 1, 0) === 0;
      if (latest === undefined && !empty) throw damaged("its high-water mark (mark) cannot be read");
      turn = latest?.turn ?? 0;
      return latest;
    },
    write(mark) {
      turn += 1;
      const text = JSON.stringify({ ...mark, turn } satisfies Written);
      writeSync(fd, `${crc32(text).toString(16)}\t${text}\n`.padEnd(SLOT_BYTES), (turn % 2) * SLOT_BYTES);
    },
    sync: () => fdatasyncSync(fd),
    close: () => closeSync(fd),
  };
}
