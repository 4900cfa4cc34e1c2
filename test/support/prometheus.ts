/** Prometheus and its promtool, as people run them. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished, type TestContext } from "vitest";
import { requireTool } from "./require-tool.ts";
import { unusedPort } from "./unused-port.ts";

/** Skips the test, by name, where there is no Prometheus; in CI it fails instead. */
export function requirePrometheus(context: TestContext): void {
  requireTool(context, {
    name: "Prometheus with promtool",
    probe: ["promtool", "--version"],
    install: "apt-get install prometheus",
  });
}

export interface Checked {
  readonly code: number;
  /** What it complains of. */
  readonly output: string;
}

/** Runs promtool to its end. */
export async function promtool(args: readonly string[], input = ""): Promise<Checked> {
  const child = spawn("promtool", args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: Number(code), output: stdout + stderr };
}

export interface RunningPrometheus {
  /** The value of each series that the query comes to, by its labels as JSON. */
  query(expression: string): Promise<readonly { readonly metric: Record<string, string>; readonly value: number }[]>;
  /** What its API answers at a path; undefined: it does not listen yet. Rejects with its words where it refuses. */
  ask<T>(path: string): Promise<T | undefined>;
}

/** Starts one that scrapes this address, host:port, every second; it ends with the test. */
export function startPrometheus(target: string): Promise<RunningPrometheus> {
  const targets = `static_configs: [{ targets: ["${target}"] }]`;
  return runPrometheus({
    "prometheus.yml": `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: backpressure, ${targets} }]\n`,
  });
}

/** Starts one with these files, of which `prometheus.yml` is its configuration; it ends with the test. */
export async function runPrometheus(files: Readonly<Record<string, string>>): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-prometheus-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const config = join(folder, "prometheus.yml");
  const address = `127.0.0.1:${await unusedPort()}`;
  const child = spawn(
    "prometheus",
    [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`, `--web.listen-address=${address}`],
    { stdio: "ignore" },
  );
  onTestFinished(async () => {
    await end(child);
    rmSync(folder, { recursive: true });
  });

  async function ask<T>(path: string): Promise<T | undefined> {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended with ${child.exitCode}`);
    const response = await fetch(`http://${address}${path}`).catch(() => undefined);
    if (response?.status === 400) throw new Error(await response.text());
    return response?.status === 200 ? ((await response.json()) as { readonly data: T }).data : undefined;
  }

  return {
    ask,
    async query(expression) {
      const answer = await ask<{ readonly result: readonly Series[] }>(
        `/api/v1/query?query=${encodeURIComponent(expression)}`,
      );
      return (answer?.result ?? []).map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
  };
}

interface Series {
  readonly metric: Record<string, string>;
  readonly value: readonly [time: number, value: string];
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, "close");
  child.kill("SIGKILL");
  await exited;
}
