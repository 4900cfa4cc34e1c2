/** Writes docs/reliability.md from what the harnesses have kept: `npm run report:reliability`, after they have run. */

import { execFileSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { FOUND } from "./support/found.ts";
import type { Finding } from "./support/record.ts";

type Line = Finding & {
  readonly harness: string;
  readonly tier: "C" | "N";
  readonly date: string;
  readonly node: string;
};

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What each harness does, and what proves that it can fail; those that are not named here come last, by their names. */
const HARNESSES: readonly {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  readonly control: string;
}[] = [
  {
    name: "simulation",
    title: "Simulation",
    how: "the real machine, engine and records under a virtual clock, with two limiters that are claimed one by one and together, an operator who changes and pauses them, a network that loses, delays, doubles and reorders, a disk that loses its tail, crashes, restarts, frozen clients; all invariants after every step, seeded and replayable",
    control: "a disk that says it has kept what it has not is found",
  },
  {
    name: "model-check",
    title: "Every state of the lease protocol",
    how: "every state that server, clients, network, disk and time can come to with 2 permits and 3 clients, by spin",
    control:
      "bugs put into the model each give the shortest way to what they break; a search without room does not count",
  },
  {
    name: "history",
    title: "Histories",
    how: "what sixteen processes have seen of a real server, and counted outside of it: permits, slots, tokens, order, rate, one lease a request id; by calls and by sessions, with transport workers and without",
    control: "bugs put into the server, and histories that were doctored, are found",
  },
  {
    name: "mutants",
    title: "Bugs put in on purpose",
    how: "a copy of the sources for each, and the tests that run with every change",
    control: "without a bug the same tests pass",
  },
  {
    name: "caller-queue",
    title: "A caller that fills a queue",
    how: "1,000 waiters of one caller, whose next are refused, and the calls of another beside them",
    control: "without a bound one caller fills the queue for all (`one-caller.test.ts`)",
  },
  {
    name: "threats",
    title: "Measures taken away",
    how: "the measure against each threat of [security](security.md#threats), taken out of a copy of the sources, and the test of that threat",
    control: "with the measure the same tests pass",
  },
  {
    name: "kill-server",
    title: "`kill -9` of the server, under load",
    how: "20 holders in 4 processes with this package's client, counted in and out by a process of their own",
    control:
      "with a fresh data folder at each start more are at work than there are permits, or leases are lost; a client that does not take its session up again loses leases",
  },
  {
    name: "kill-server-board",
    title: "`kill -9` of the server, under a pipeline",
    how: "four worker processes on two stages, a watcher beside them",
    control:
      "a stage that had a card twice would stand twice in its result; the limits' control is `test/server/machine/board`",
  },
  {
    name: "lost-answers",
    title: "Lost answers",
    how: "a fifth of the answers unheard, asked again under the same request id, the server killed three times meanwhile; a session is taken up again, or left for another",
    control: "without a request id there are as many leases as answers",
  },
  {
    name: "connection-cuts",
    title: "Connections that break",
    how: "each after some bytes, in the midst of whatever they are, while clients acquire, hold and release; then the server's books are held against theirs",
    control:
      "a client that does not take its session up again loses leases; one that does not say that it asks again is granted twice",
  },
  {
    name: "restart-time",
    title: "Restart",
    how: "`kill -9` with 10,000 leases, started again",
    control: "",
  },
  {
    name: "drain",
    title: "SIGTERM under load, and folders of other versions",
    how: "holders, waiters and workers go on through each; a folder that an earlier version has written is taken up",
    control: "an outside counter sees those at work",
  },
  {
    name: "network-faults",
    title: "Faults of the network",
    how: "a proxy drops, delays, slows, swallows, resets and half-closes, while a rival wants the same permit",
    control:
      "a server that does not ask whether its peers live, and a holder that does not look at its signal, are found",
  },
  {
    name: "pauses",
    title: "Pauses",
    how: "SIGSTOP of holders and of the server, beside a resource that keeps the highest fencing token of each slot",
    control: "a resource that does not look at the token takes stale writes",
  },
  {
    name: "disk-faults",
    title: "A disk that fails",
    how: "errors of real system calls (strace), a full disk and a loss of power under load, each followed by a restart",
    control:
      "a server that answers too early, takes a failed write for a kept one, or does not wait for the disk is found",
  },
  {
    name: "power-loss",
    title: "Loss of power, damage",
    how: "the data folder cut and flipped at every boundary and at random, then opened",
    control:
      "without the checksums of rows, their sum, the definitions of the tables, or the mark it is found (`power-loss-control.test.ts`)",
  },
  {
    name: "wire-fuzz",
    title: "Frames that are none",
    how: "mutated HTTP/2 frames, gRPC envelopes, protobuf and HTTP/1.1 requests by the hundred thousand, another client beside them",
    control: "",
  },
  {
    name: "floods",
    title: "Floods",
    how: "one connection that does too much of one thing, another client beside it",
    control: "",
  },
  {
    name: "rotation",
    title: "Credentials that are replaced",
    how: "the server's certificate, authorities, withdrawn certificates, tokens, keys and access list are replaced while 1,000 leases are held and other calls go on; then a bad file of each",
    control: "where a withdrawn key is forgotten and its streams are not looked at, they go on",
  },
  {
    name: "grpc-abuse",
    title: "Abuse of gRPC",
    how: "requests that no library sends, each with its documented answer",
    control: "",
  },
  {
    name: "session-neighbours",
    title: "Neighbours of a session that floods, or never reads",
    how: "pairs of calls of other clients, begun by a schedule, in peace and beside it, in turns in one run; the abuser has the lowest priority, so that it takes no core from them",
    control: "",
  },
  { name: "slow-readers", title: "Slow readers", how: "streams that never read", control: "" },
  {
    name: "soak",
    title: "Soak",
    how: "2,000 streams that come and go on both ports, for a while; afterwards nothing of them is left",
    control: "a leak that was put in is found",
  },
  { name: "many-waiters", title: "Many waiters", how: "10,000 streams in one queue", control: "" },
];

function readLines(): readonly Line[] {
  return globSync("reliability-results/*.json", { cwd: ROOT })
    .sort()
    .flatMap((path) => readFileSync(`${ROOT}${path}`, "utf8").split("\n"))
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as Line);
}

function rounded(value: number): string {
  return (Number.isInteger(value) ? value : Number(value.toPrecision(3))).toLocaleString("en");
}

function section(name: string, lines: readonly Line[]): string {
  const { title, how, control } = HARNESSES.find((each) => each.name === name) ?? { title: name, how: "", control: "" };
  const [{ tier, date, node }] = lines as readonly [Line];
  const controls = new Set([control, ...lines.map((line) => line.control ?? "")].filter((text) => text !== ""));
  return [
    `## ${title}`,
    "",
    ...(how === "" ? [] : [`${how[0]?.toUpperCase()}${how.slice(1)}.`]),
    ...[...controls].map((text) => `Control: ${text}.`),
    "",
    "| figure | value |",
    "| --- | --- |",
    ...lines.map(({ figure, value, unit, seed }) => {
      const replay = seed === undefined ? "" : ` (seed ${seed})`;
      return `| ${figure}${replay} | ${rounded(value)} ${unit} |`;
    }),
    "",
    `Tier ${tier}, ${date.slice(0, 16).replace("T", " ")} UTC, Node ${node}.`,
    "",
  ].join("\n");
}

const lines = readLines();
if (lines.length === 0) throw new Error("reliability-results is empty; run npm run test:reliability first");
const known = HARNESSES.map(({ name }) => name);
const names = [...new Set([...known, ...lines.map(({ harness }) => harness)])];
const sections = names.flatMap((name) => {
  const own = lines.filter(({ harness }) => harness === name);
  return own.length === 0 ? [] : [section(name, own)];
});
const trackRecord = [
  "## Bugs found",
  "",
  "| by | what | mended |",
  "| --- | --- | --- |",
  ...FOUND.map(({ harness, bug, mended }) => `| ${harness} | ${bug} | ${mended ?? "open"} |`),
].join("\n");
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
const page = `# Reliability, as measured

Written by \`npm run report:reliability\` from what \`npm run test:reliability\` (tier C, with every run of CI) and \`npm run
test:nightly\` (tier N) have kept, at commit ${commit}, on ${cpus().length} cores shared with other work. [failures.md](failures.md) says
what is promised; each harness can fail, as its control shows.

${sections.join("\n")}
${trackRecord}`;
writeFileSync(`${ROOT}docs/reliability.md`, `${page.trimEnd()}\n`);
