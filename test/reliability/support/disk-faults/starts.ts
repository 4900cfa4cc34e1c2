/** A disk that fails while a server takes its folder up. */

import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProgram } from "../../../support/program.ts";
import { FREE_PORTS } from "../../../support/server.ts";
import { type Fault, faultArguments } from "./strace.ts";
import type { Trial } from "./trials.ts";

const MAIN = fileURLToPath(new URL("../../../../src/cli/main.ts", import.meta.url));
/** A start has hardly more calls of a kind than this: from one of them on they fail. */
const CALLS = 4;

/** It does not start, and says why. Returns whether it was so: a start may have fewer calls than go well. */
export async function failAtStart(fault: Fault, { subject, dice }: Trial): Promise<boolean> {
  const { ledger, folder, config } = subject;
  const start = await tryStart({ fault, from: 1 + dice.roll(CALLS), config, folder });
  if (start.kind === "served") return false;
  const { code, printed } = start;
  if (code !== 1) ledger.breach(`${fault.name}: it ends with ${code}: ${printed}`);
  if (!printed.includes(`the data folder ${folder} `)) ledger.breach(`${fault.name}: it says no more than ${printed}`);
  return true;
}

/** The same where there is no folder yet: the next start makes it, as if nothing had been. */
export async function failAtFirstStart(fault: Fault, { subject, dice }: Trial): Promise<boolean> {
  const { ledger } = subject;
  const folder = join(subject.folder, `${dice.roll(2 ** 31)}`);
  const config = subject.config.replace(subject.folder, folder);
  const start = await tryStart({ fault, from: 1 + dice.roll(CALLS), config, folder });
  const next = await tryStart({ fault: undefined, from: 1, config, folder });
  if (next.kind === "refused") ledger.breach(`after ${fault.name} it never starts: ${next.printed}`);
  return start.kind === "refused";
}

type Start =
  | { readonly kind: "served" }
  | { readonly kind: "refused"; readonly code: number | null; readonly printed: string };

/** Starts it, and ends it. Without a `fault` all goes well. */
async function tryStart(options: {
  readonly fault: Fault | undefined;
  readonly from: number;
  readonly config: string;
  readonly folder: string;
}): Promise<Start> {
  const { fault, from, config, folder } = options;
  using scratch = mkdtempDisposableSync(join(tmpdir(), "backpressure-start-"));
  const path = join(scratch.path, "backpressure.yaml");
  writeFileSync(path, `${FREE_PORTS}${config}`);
  const strace = fault && ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", ...faultArguments(folder, fault, from)];
  await using program = startProgram([...(strace ?? []), process.execPath, MAIN, "serve", "--config", path]);
  const served = await program.until(/serves gRPC/).then(
    () => true,
    () => false,
  );
  return served ? { kind: "served" } : { kind: "refused", ...(await program.ended) };
}
