/** Records of benchmarks that ran before, as `report` has kept them. */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Figure } from "./report.ts";

export interface RunRecord {
  readonly name: string;
  readonly date: string;
  readonly commit: string;
  readonly command: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Of the machine at the end: 2 on two cores is what the benchmark itself makes. */
  readonly load: number;
  readonly figures: readonly (Figure & { readonly met?: boolean })[];
  readonly notes: readonly string[];
}

/** The record in `folder` (unset: bench/results/); undefined if that benchmark has not run. */
export function readRecord(
  name: string,
  folder = fileURLToPath(new URL("../results", import.meta.url)),
): RunRecord | undefined {
  const path = `${folder}/${name}.json`;
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as RunRecord) : undefined;
}
