/** Keeps what a harness has found, a line of JSON for each figure, in `reliability-results/HARNESS.json`. */

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tier } from "./tier.ts";

export interface Finding {
  /** What was measured, with the port where there are several. */
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** What the same harness found where the guard is missing. */
  readonly control?: string;
  /** Replays it, as `RELIABILITY_SEED`. */
  readonly seed?: number;
}

export type Recorder = (finding: Finding) => void;

const FOLDER = fileURLToPath(new URL("../../../reliability-results/", import.meta.url));

/** Called once a harness; what an earlier run has left under this name goes. */
export function openRecord(harness: string): Recorder {
  mkdirSync(FOLDER, { recursive: true });
  const path = `${FOLDER}${harness}.json`;
  writeFileSync(path, "");
  return (finding) => {
    const line = { harness, ...finding, tier, date: new Date().toISOString(), node: process.version };
    appendFileSync(path, `${JSON.stringify(line)}\n`);
  };
}
