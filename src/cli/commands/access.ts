/** `backpressure access`: what the access list of a configuration allows, and which entry does. */

import { Argument, InvalidArgumentError, Option } from "commander";
import type { AccessEntry, AccessSubject } from "../../server/access/access-list.ts";
import type { Caller } from "../../server/access/caller.ts";
import type { Verb } from "../../server/access/rights.ts";
import { formatNumber } from "../../text/number.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { UsageError } from "../session/failure.ts";

interface AccessFlags {
  readonly config?: string;
  readonly key?: string;
  readonly tenant?: string;
  readonly group?: readonly string[];
  readonly claim?: Readonly<Record<string, string>>;
}

const HELP = `
Reads the file's access list and asks no server. WHO is the caller's name, as leases show it, or anonymous; what its credential
says beside that is given by --tenant, --group and --claim. NAME is a limiter's, or a board's as board/NAME.

Exits with 0 if an entry allows it, 1 if none does, and 2 if the file is not valid.

Examples:
  backpressure access token:ci operate payments-db --config backpressure.yaml
  backpressure access spiffe://prod.example/ns/billing/api acquire payments-db --config backpressure.yaml
  backpressure access k8s:app acquire tenants --key acme/42 --tenant acme --config backpressure.yaml
  backpressure access token:ann observe board/releases --group sre --config backpressure.yaml`;

export const defineAccess: DefineCommand = (command, handle) => {
  command
    .argument("<who>", "the caller's name")
    .addArgument(new Argument("<verb>", "what it would do").choices(["acquire", "observe", "operate"]))
    .argument("<name>", "the limiter, or board/NAME")
    .addOption(
      new Option("-c, --config <file>", "the configuration (default: the file that BACKPRESSURE_CONFIG names)"),
    )
    .addOption(new Option("--key <key>", "one key of the limiter"))
    .addOption(new Option("--tenant <name>", "the caller's tenant"))
    .addOption(new Option("--group <name...>", "groups of the caller"))
    .addOption(new Option("--claim <name=value...>", "claims of its credential").argParser(addClaim))
    .addHelpText("after", HELP)
    .action(handle(access));
};

async function access({ terminal, json }: Context, who: string, verb: Verb, name: string, flags: AccessFlags) {
  const { allowingEntry } = await import("../../server/access/access-list.ts");
  const { path, entries } = await readEntries(flags.config);
  const subject = subjectOf(name, flags.key);
  const caller = callerOf(who, flags);
  const entry = entries === undefined ? undefined : allowingEntry(entries, caller, verb, subject);
  const isAllowed = entries === undefined || entry !== undefined;
  if (json) terminal.print(JSON.stringify({ allowed: isAllowed, entry: entry ?? null }));
  else terminal.print(inWords({ path, entries, entry, what: `${who} may ${verb} ${name}` }));
  return isAllowed ? EXIT.ok : EXIT.refused;
}

interface Finding {
  readonly path: string;
  readonly entries: readonly AccessEntry[] | undefined;
  readonly entry: number | undefined;
  readonly what: string;
}

function inWords({ path, entries, entry, what }: Finding): string {
  if (entries === undefined) return `yes, ${what}: ${path} has no access list, so every caller may everything`;
  if (entry === undefined) return `no, none of its ${formatNumber(entries.length)} entries says that ${what}`;
  const { who = [], may = [] } = entries[entry] ?? {};
  return `yes, ${what}: access[${entry}] of ${path} says so (who: ${who.join(", ")}; may: ${may.join(", ")})`;
}

async function readEntries(config: string | undefined) {
  const { loadConfig } = await import("../../server/config/config.ts");
  const { readEnvironment } = await import("../../server/config/environment.ts");
  const { formatProblem } = await import("../../server/config/problem.ts");
  const environment = readEnvironment();
  const path = config ?? environment.configPath;
  if (path === undefined) throw new UsageError("give the configuration by --config, or by BACKPRESSURE_CONFIG");
  const reading = loadConfig({ path, ...environment });
  if (reading.kind === "loaded") return { path, entries: reading.settings.access };
  throw new UsageError(["the file is not valid:", ...reading.problems.map(formatProblem)].join("\n"));
}

function subjectOf(name: string, key: string | undefined): AccessSubject {
  const [, kind, rest = ""] = /^(limiter|board)\/(.*)$/.exec(name) ?? [];
  if (kind === "board") return { kind, name: rest };
  return { kind: "limiter", name: kind === undefined ? name : rest, key };
}

function callerOf(name: string, { tenant = "", group = [], claim = {} }: AccessFlags): Caller {
  const kind = name === "anonymous" ? "anonymous" : "token";
  return { name, kind, tenant, groups: group, claims: claim, expiresAt: undefined };
}

function addClaim(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be NAME=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
