/** Writes docs/performance.md and its pictures from what the benchmarks have recorded: `node bench/write-page.ts`. */

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { barChart, lineChart } from "./page/chart.ts";
import { GOALS } from "./page/goals.ts";
import { type RunRecord, readRecord } from "./support/record.ts";
import { digits } from "./support/report.ts";
import { readSeries } from "./support/series.ts";

const DOCS = fileURLToPath(new URL("../docs", import.meta.url));
const PARTS = ["unary", "sessions", "hand-off", "workers", "curves", "population", "in-process", "scale"] as const;

const TITLES: Readonly<Record<(typeof PARTS)[number], string>> = {
  unary: "Unary calls and Acquire streams",
  sessions: "Sessions",
  "hand-off": "Hand-off",
  workers: "Transport workers",
  curves: "Throughput against latency",
  population: "Limiters, keys and connections",
  "in-process": "In one process",
  scale: "Scale",
};

const PICTURES: Readonly<Partial<Record<(typeof PARTS)[number], readonly string[]>>> = {
  unary: ["cpu-of-a-call"],
  curves: ["p50-at-a-rate", "p99-at-a-rate", "latency-distribution"],
};

const records = new Map(PARTS.map((part) => [part, readRecord(part)] as const));

function medianOf(record: RunRecord | undefined, figure: string) {
  return record?.figures.find(({ what }) => what === figure);
}

function goalRow({ what, record, figure }: (typeof GOALS)[number]): string {
  const found = medianOf(records.get(record as (typeof PARTS)[number]), figure);
  if (found === undefined) return `| ${what} | | not measured | |`;
  const { spread, unit, target, met } = found;
  const wanted = target === undefined ? "" : `${target.kind} ${target.value.toLocaleString("en")} ${unit}`;
  return `| ${what} | ${wanted} | ${digits(spread.median)} ${unit} (${digits(spread.lowest)} to ${digits(spread.highest)}) | ${met === undefined ? "" : met ? "met" : "**not met**"} |`;
}

function partOf(part: (typeof PARTS)[number]): string {
  const record = records.get(part);
  if (record === undefined) return `## ${TITLES[part]}\n\nNot measured at this commit.\n`;
  const { figures, notes, date, commit, command, load } = record;
  const rows = figures.map(({ what, unit, spread, target }) => {
    const wanted = target === undefined ? "" : `${target.kind} ${target.value.toLocaleString("en")}`;
    return `| ${what} | ${digits(spread.median)} ${unit} | ${digits(spread.lowest)} to ${digits(spread.highest)} | ${wanted} |`;
  });
  const pictures = (PICTURES[part] ?? []).map((name) => `![${name.replaceAll("-", " ")}](performance/${name}.svg)\n`);
  return [
    `## ${TITLES[part]}\n`,
    `\`${command}\`, ${date.slice(0, 16).replace("T", " ")} UTC, commit ${commit}, load average ${load.toFixed(1)}. ${notes.join(" ")}\n`,
    ...pictures,
    "<details><summary>All figures</summary>\n",
    "| | median | lowest to highest | target |\n| --- | --- | --- | --- |",
    ...rows,
    "\n</details>\n",
  ].join("\n");
}

function draw(): void {
  mkdirSync(`${DOCS}/performance`, { recursive: true });
  const save = (name: string, picture: string) => writeFileSync(`${DOCS}/performance/${name}.svg`, picture);
  if (records.get("curves") !== undefined) {
    const [p50 = [], p99 = [], distribution = []] = Object.values(readSeries("curves"));
    const [rate, latency] = [
      { title: "offered calls a second", scale: "log" },
      { title: "latency, µs", scale: "log" },
    ] as const;
    save(
      "p50-at-a-rate",
      lineChart({ title: "TryAcquire: half of the calls take at most", x: rate, y: latency, series: p50 }),
    );
    save(
      "p99-at-a-rate",
      lineChart({ title: "TryAcquire: 99 of 100 calls take at most", x: rate, y: latency, series: p99 }),
    );
    const percentile = { title: "calls", scale: "tail" } as const;
    const title = "TryAcquire at 4,000 calls/s: how long calls take";
    save("latency-distribution", lineChart({ title, x: percentile, y: latency, series: distribution }));
  }
  const unary = records.get("unary");
  if (unary !== undefined)
    save("cpu-of-a-call", barChart("CPU of one operation", ["server", "the load"], "µs", barsOf(unary)));
}

/** The server's CPU and the load's stand one after the other under each verb. */
function barsOf({ figures }: RunRecord) {
  let verb = "";
  return figures.flatMap(({ what, spread }, i) => {
    if (!what.startsWith("—")) verb = what.split(":")[0] ?? "";
    const [, side] = /^— (.+): server CPU for each$/.exec(what) ?? [];
    if (side === undefined) return [];
    const short = side.replace(" that answers with", ",").replace("the messages", "messages");
    return [{ name: `${verb.split(",")[0]}: ${short}`, parts: [spread.median, figures[i + 1]?.spread.median ?? 0] }];
  });
}

const measured = [...records.values()].filter((record) => record !== undefined);
const [first] = measured;
if (first === undefined) throw new Error("nothing has been measured: npm run bench");
draw();
const most = Math.max(...measured.map(({ load }) => load));
const busy =
  most > 2 * first.cores
    ? `**The machine was busy with other work (a load average of up to ${most.toFixed(0)}): ratios scatter widely, and latencies and rates mean little.**`
    : "The machine had nothing else to do.";
const page = `# Performance, as measured

Written by \`npm run bench\` (and \`npm run bench:scale\`) from what its benchmarks have recorded in \`bench/results/\`, on ${first.cores} cores
(${first.cpu}), Node ${first.node}; [bench/README.md](../bench/README.md) says what each benchmark answers. Sides of a comparison take turns in short
rounds of one run, and the ratio of the round in the middle is shown with the lowest and the highest. Servers run on one core, the load
on the other. ${busy}

## Figures to reach

| what | target | measured | |
| --- | --- | --- | --- |
${GOALS.map(goalRow).join("\n")}

${PARTS.map(partOf).join("\n")}`;
writeFileSync(`${DOCS}/performance.md`, page);
