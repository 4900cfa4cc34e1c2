/** Recorded curves: what the pictures of docs/performance.md are drawn from. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Series by what they show. */
export type Curves = Readonly<Record<string, readonly Series[]>>;

const pathOf = (name: string) => fileURLToPath(new URL(`../results/${name}-series.json`, import.meta.url));

export function writeSeries(name: string, curves: Curves): void {
  writeFileSync(pathOf(name), `${JSON.stringify(curves)}\n`);
}

export function readSeries(name: string): Curves {
  return JSON.parse(readFileSync(pathOf(name), "utf8"));
}
