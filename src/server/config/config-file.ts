/** The file's text: read whole or not at all. */

import { readFileSync, statSync } from "node:fs";
import type { Problem } from "./problem.ts";

export type FileReading =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unreadable"; readonly problem: Problem };

const MAX_BYTES = 4 * 1024 * 1024;

/** Reads a configuration file; never throws. */
export function readConfigFile(path: string): FileReading {
  try {
    const status = statSync(path);
    if (!status.isFile()) return unreadable(path, "must be a regular file");
    if (status.size > MAX_BYTES) return tooLarge(path, status.size);
    const bytes = readFileSync(path);
    // It may have grown in between.
    if (bytes.length > MAX_BYTES) return tooLarge(path, bytes.length);
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return unreadable(path, whyUnreadable(error));
  }
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
