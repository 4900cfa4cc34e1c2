/**
 * Whether two runs say the same: `node bench/agree.ts DIR`, where DIR has the records of another run (a copy of bench/results/). Every
 * ratio is compared; one that differs by more than 15 % is named, and the exit code is 1.
 */

import { type RunRecord, readRecord } from "./support/record.ts";
import { digits } from "./support/report.ts";

/** What two runs may differ by. */
const TOLERANCE = 0.15;
const PARTS = ["in-process", "unary", "sessions", "hand-off", "workers", "population"];

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("name the records of the other run: node bench/agree.ts DIR");

function differences(now: RunRecord, before: RunRecord): string[] {
  return now.figures.flatMap(({ what, unit, spread }, i) => {
    const other = before.figures[i];
    if (unit !== "×" || other?.what !== what) return [];
    const difference = spread.median / other.spread.median - 1;
    compared += 1;
    if (Math.abs(difference) <= TOLERANCE) return [];
    const percent = `${(difference * 100).toFixed(0)} %`;
    return [`${now.name}: ${what}: ${digits(other.spread.median)} and ${digits(spread.median)} × (${percent})`];
  });
}

let compared = 0;
const found = PARTS.flatMap((part) => {
  const [now, before] = [readRecord(part), readRecord(part, directory)];
  return now === undefined || before === undefined ? [] : differences(now, before);
});
for (const line of found) process.stdout.write(`${line}\n`);
process.stdout.write(`${compared - found.length} of ${compared} ratios agree within ${TOLERANCE * 100} %\n`);
if (found.length > 0) process.exitCode = 1;
