/** What a benchmark has found: a table for people, and a record that is kept beside those of the others. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import type { Spread } from "./spread.ts";

export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly spread: Spread;
  /** What the median is to reach; undefined: it is shown for reference. */
  readonly target?: Target;
}

export type Target =
  | { readonly kind: "at most"; readonly value: number }
  | { readonly kind: "at least"; readonly value: number };

export function atMost(value: number): Target {
  return { kind: "at most", value };
}

export function atLeast(value: number): Target {
  return { kind: "at least", value };
}

export interface Report {
  /** The benchmark's name: `bench/NAME.ts`. */
  readonly name: string;
  readonly figures: readonly Figure[];
  /** What a reader has to know of them. */
  readonly notes?: readonly string[];
}

/** Prints the table and writes `bench/results/NAME.json`. A missed target is shown, and is no failure. */
export function report({ name, figures, notes = [] }: Report): void {
  const rows = figures.map((figure) => [figure.what, ...tell(figure)]);
  printTable([["", "median", "lowest … highest", "target", ""], ...rows]);
  for (const note of notes) process.stdout.write(`${note}\n`);
  const record = {
    name,
    date: new Date().toISOString(),
    commit: commit(),
    command: `node bench/${name}.ts`,
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    // At the end of the run: what else the machine was busy with, the benchmark itself included.
    load: loadavg()[0],
    figures: figures.map((figure) => ({ ...figure, met: isMet(figure) })),
    notes,
  };
  const path = fileURLToPath(new URL(`../results/${name}.json`, import.meta.url));
  writeFileSync(path, `${JSON.stringify(record, undefined, 2)}\n`);
}

function isMet({ spread, target }: Figure): boolean | undefined {
  switch (target?.kind) {
    case "at most":
      return spread.median <= target.value;
    case "at least":
      return spread.median >= target.value;
    case undefined:
      return undefined;
  }
}

function tell(figure: Figure): string[] {
  const { spread, unit, target } = figure;
  const met = isMet(figure);
  return [
    `${digits(spread.median)} ${unit}`,
    `${digits(spread.lowest)} … ${digits(spread.highest)}, ${spread.rounds} rounds`,
    target === undefined ? "" : `${target.kind} ${target.value} ${unit}`,
    met === undefined ? "" : met ? "met" : "MISSED",
  ];
}

export function digits(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  for (const row of rows) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
    process.stdout.write(`${line.trimEnd()}\n`);
  }
}

/** The commit that was measured; `+` if the sources had changed since. */
function commit(): string {
  const git = (...parts: string[]) => execFileSync("git", parts, { encoding: "utf8", cwd: import.meta.dirname }).trim();
  return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "../src") === "" ? "" : "+"}`;
}
