/** Prometheus and its promtool, as people run them. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { unusedPort } from "./unused-port.ts";

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
}

/** Starts one that scrapes this address, host:port, every second; it ends with the test. */
export async function startPrometheus(target: string): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-prometheus-"));
  const config = join(folder, "prometheus.yml");
  writeFileSync(
    config,
    `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: backpressure, static_configs: [{ targets: ["${target}"] }] }]\n`,
  );
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
  return {
    async query(expression) {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`;
      // It does not listen yet.
      const response = await fetch(url).catch(() => undefined);
      if (response?.status !== 200) return [];
      const { data } = (await response.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, "close");
  child.kill("SIGKILL");
  await exited;
}
