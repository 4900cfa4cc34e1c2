/**
 * A client in a process of its own that holds leases, with credentials from a mounted folder: `node pod.ts https://host:port FOLDER token|certificate
 * anew|once LEASES`. One that reads them once works with what was there when it started.
 */

import "../../support/end-with-parent.ts";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectOptions, connect } from "../../../src/client/index.ts";

export type Manner = "anew" | "once";
export type PodCredential = "token" | "certificate";
export type PodNews =
  | { readonly kind: "held" }
  | { readonly kind: "lost"; readonly why: string }
  | { readonly kind: "released"; readonly outcomes: readonly string[] };

const [address = "", mount = "", credential = "", manner = "", count = ""] = process.argv.slice(2);
const folder = manner === ("anew" satisfies Manner) ? mount : copyOf(mount);
const tell = (news: PodNews) => void process.send?.(news);

function copyOf(mounted: string): string {
  const copy = mkdtempSync(join(tmpdir(), "backpressure-pod-"));
  process.once("exit", () => rmSync(copy, { recursive: true }));
  cpSync(mounted, copy, { recursive: true, dereference: true });
  return copy;
}

function options(): ConnectOptions {
  const file = (name: string) => join(folder, name);
  const caFile = file("ca.crt");
  if (credential === ("certificate" satisfies PodCredential)) {
    return { tls: { caFile, certFile: file("tls.crt"), keyFile: file("tls.key") } };
  }
  // What documentation shows, and what is written without reading it.
  const token =
    manner === ("anew" satisfies Manner) ? () => readFile(file("token"), "utf8") : readFileSync(file("token"), "utf8");
  return { tls: { caFile }, token };
}

const client = connect(address, options());
const leases = await Promise.all(Array.from({ length: Number(count) }, () => client.acquire("db")));
for (const { signal } of leases)
  signal.addEventListener("abort", () => tell({ kind: "lost", why: String(signal.reason) }));
process.on("message", async () => {
  const outcomes = await Promise.all(leases.map((lease) => lease.release().catch(String)));
  tell({ kind: "released", outcomes });
});
tell({ kind: "held" });
