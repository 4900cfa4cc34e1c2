/** The file's text: read whole or not at all. */

import { readFileSync, type Stats, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Problem } from "./problem.ts";

export type FileReading =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unreadable"; readonly problem: Problem };

/**
 * 300 bytes for each of the 50,000 limiters that a file may declare. So much takes 5 s and 700 MB to parse (two cores), at each
 * start and with each change; more is hardly a configuration.
 */
const MAX_BYTES = 16 * 1024 * 1024;

/** Reads a configuration file; never throws. */
export function readConfigFile(path: string): FileReading {
  try {
    return refused(path, statSync(path)) ?? decoded(path, readFileSync(path));
  } catch (error) {
    return unreadable(path, whyUnreadable(error));
  }
}

/** The same while others have their turns; never rejects. */
export async function readConfigFileSoon(path: string): Promise<FileReading> {
  try {
    return refused(path, await stat(path)) ?? decoded(path, await readFile(path));
  } catch (error) {
    return unreadable(path, whyUnreadable(error));
  }
}

/** Undefined: it may be read. */
function refused(path: string, status: Stats): FileReading | undefined {
  if (!status.isFile()) return unreadable(path, "must be a regular file");
  return status.size > MAX_BYTES ? tooLarge(path, status.size) : undefined;
}

function decoded(path: string, bytes: Buffer): FileReading {
  // It may have grown in between.
  if (bytes.length > MAX_BYTES) return tooLarge(path, bytes.length);
  return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
}

function whyUnreadable(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "the server may not read this file";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "must be text in UTF-8";
    default:
      return `cannot be read: ${code ?? (error as Error).message}`;
  }
}

function tooLarge(path: string, bytes: number): FileReading {
  return unreadable(path, `must be at most ${MAX_BYTES} bytes, found ${bytes}`);
}

function unreadable(path: string, message: string): FileReading {
  return { kind: "unreadable", problem: { place: { kind: "file", path }, field: "", message } };
}
