/** What a disk has when its power goes: all that was synced, and of what was written since any part. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Dice } from "../../../server/machine/dice.ts";

interface Write {
  readonly at: number;
  /** Undefined: the file is cut there. */
  readonly bytes: Buffer | undefined;
}

/** `before`: a copy of the folder from after strace took hold; `noteFile`: what it has noted since. */
export function afterPowerCut(options: {
  readonly folder: string;
  readonly before: string;
  readonly noteFile: string;
  readonly files: readonly string[];
  readonly dice: Dice;
}): void {
  const { folder, before, noteFile, files, dice } = options;
  const notes = readFileSync(noteFile, "latin1").split("\n").map(parseNote);
  for (const file of files) {
    let bytes: Buffer = existsSync(join(before, file)) ? readFileSync(join(before, file)) : Buffer.alloc(0);
    let unsynced: Write[] = [];
    for (const note of notes) {
      if (note?.file !== file) continue;
      if (note.kind === "write") unsynced.push(note);
      else {
        bytes = unsynced.reduce(written, bytes);
        unsynced = [];
      }
    }
    const lucky = unsynced.filter(() => dice.chance(50));
    writeFileSync(join(folder, file), lucky.reduce(written, bytes));
  }
}

function written(before: Buffer, { at, bytes }: Write): Buffer {
  if (bytes === undefined)
    return Buffer.concat([before, Buffer.alloc(Math.max(0, at - before.length))]).subarray(0, at);
  const after = Buffer.alloc(Math.max(before.length, at + bytes.length));
  before.copy(after);
  bytes.copy(after, at);
  return after;
}

type Note = { readonly file: string } & (({ readonly kind: "write" } & Write) | { readonly kind: "sync" });

const CALL = /^\d+ +(\w+)\(\d+<([^>]*)>(?:, (.*))?\) += (\d+)$/;
const PWRITE = /^"([^"]*)", \d+, (\d+)$/;

/** Of a line by `strace -y -xx`; undefined: it says nothing of what has come to pass. */
function parseNote(line: string): Note | undefined {
  const [, call, path, rest = ""] = CALL.exec(line) ?? [];
  if (call === undefined || path === undefined) return undefined;
  const file = basename(fromHex(path).toString());
  if (call === "fsync" || call === "fdatasync") return { kind: "sync", file };
  if (call === "ftruncate") return { kind: "write", file, at: Number(rest), bytes: undefined };
  const [, text, at] = PWRITE.exec(rest) ?? [];
  if (text === undefined) throw new Error(`a write that is not understood: ${line.slice(0, 200)}`);
  return { kind: "write", file, at: Number(at), bytes: fromHex(text) };
}

/** `\x2f\x74` */
function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}
