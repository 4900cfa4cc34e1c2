/** Whether an audit file is whole: every line as it was written, none missing and none put in. */

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { BEGINNING, type ChainEnd, gapBetween, readLine } from "./line.ts";

export type Verdict =
  | {
      readonly kind: "whole";
      readonly lines: number;
      /** The number of its first line; above 1 it goes on from a file before it. */
      readonly first: number;
      /** Of the line before its first. */
      readonly follows: string;
      readonly end: ChainEnd;
    }
  /** `line`: of the file, from 1. */
  | { readonly kind: "broken"; readonly line: number; readonly why: string };

/** Reads the file from its start, in little memory. Rejects if it cannot be read. */
export async function verifyAuditFile(path: string): Promise<Verdict> {
  let end: ChainEnd | undefined;
  let lines = 0;
  let first = 0;
  let follows = BEGINNING.digest;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    lines += 1;
    const reading = readLine(text);
    if (reading.kind === "broken") return { kind: "broken", line: lines, why: reading.why };
    if (end === undefined) {
      first = reading.end.seq;
      follows = reading.prev;
      const gap = first === 1 ? gapBetween(BEGINNING, reading) : undefined;
      if (gap !== undefined) return { kind: "broken", line: lines, why: gap };
    } else {
      const gap = gapBetween(end, reading);
      if (gap !== undefined) return { kind: "broken", line: lines, why: gap };
    }
    end = reading.end;
  }
  return { kind: "whole", lines, first, follows, end: end ?? BEGINNING };
}
