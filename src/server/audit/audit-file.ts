/**
 * The audit file: lines are added one behind the other, and a line that could not be written whole is taken back. Whoever renames the
 * file rotates it: the next line begins another, and goes on with the chain.
 */

import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { type AuditEvent, BEGINNING, type ChainEnd, nextLine, readLine } from "./line.ts";

export interface AuditFile {
  /** Adds a line, and resolves with its number once it is on disk. Rejects, with the file as it was, if that cannot be. */
  write(event: AuditEvent): Promise<number>;
  close(): Promise<void>;
}

export interface AuditFileOptions {
  readonly path: string;
  /** ms since 1970. */
  readonly wallTime: () => number;
}

/** More than the longest line has. */
const TAIL_BYTES = 4 << 20;

/** Opens the file, or makes it, and goes on with its chain. Rejects with what is wrong, where, and what to do. */
export async function openAuditFile({ path, wallTime }: AuditFileOptions): Promise<AuditFile> {
  let handle = await openOrSay(path);
  let chain = await takeUp(handle, path);
  /** Whether the last bytes of the file are a part of a line that could not be taken back. */
  let torn = false;
  let last: Promise<unknown> = Promise.resolve();

  /** Takes up another file where this one was renamed, or removed. */
  async function follow(): Promise<void> {
    const there = await stat(path).catch(() => undefined);
    const own = await handle.stat();
    if (there?.ino === own.ino && there.dev === own.dev) return;
    const next = await open(path, FLAGS, MODE);
    await handle.close().catch(NOTHING);
    handle = next;
    torn = false;
  }

  async function add(event: AuditEvent): Promise<number> {
    await follow();
    const { text, end: after } = nextLine(chain, wallTime(), event);
    const { size } = await handle.stat();
    try {
      await handle.appendFile(`${torn ? "\n" : ""}${text}\n`);
      await handle.datasync().catch(unlessNoDisk);
    } catch (error) {
      await handle.truncate(size).catch(NOTHING);
      const left = await handle.stat().catch(() => undefined);
      torn ||= left?.size !== size;
      throw error;
    }
    torn = false;
    chain = after;
    return after.seq;
  }

  return {
    write(event) {
      const written = last.then(() => add(event));
      last = written.catch(NOTHING);
      return written;
    },
    async close() {
      await last;
      await handle.close();
    },
  };
}

const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
/** For the server's user alone: it tells who has done what. */
const MODE = 0o600;
const NOTHING = () => {};

async function openOrSay(path: string): Promise<FileHandle> {
  try {
    return await open(path, FLAGS, MODE);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(
      `the audit file ${path} cannot be opened (${message}); make its folder, or name another in audit.file`,
    );
  }
}

/** Finds where the chain of a file stands. A part of a line at its end goes: of what it was to tell no answer has left. */
async function takeUp(handle: FileHandle, path: string): Promise<ChainEnd> {
  const { size } = await handle.stat();
  const length = Math.min(size, TAIL_BYTES);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  const end = buffer.lastIndexOf("\n") + 1;
  if (end < length) await handle.truncate(size - length + end);
  if (end === 0) return BEGINNING;
  const reading = readLine(buffer.subarray(buffer.lastIndexOf("\n", end - 2) + 1, end - 1).toString("utf8"));
  if (reading.kind === "whole") return reading.end;
  throw new Error(
    `the last line of the audit file ${path} is broken: ${reading.why}; move the file away, or find out more by ` +
      `backpressure audit verify ${path}`,
  );
}

/** What is no file on a disk, such as a pipe, has nothing to sync. */
function unlessNoDisk(error: NodeJS.ErrnoException): void {
  if (error.code !== "EINVAL") throw error;
}
