/** What is asked for, and how: the options of `acquire`, `try` and `run`. */

import { type Command, Option } from "commander";
import type { ClaimOptions } from "../../client/api/claim.ts";
import type { AcquireOptions, TryAcquireOptions } from "../../client/api/client.ts";
import { userAtHost } from "../session/environment.ts";
import { countValue, durationValue } from "./values.ts";

/** What `claimOptions` adds to a command. */
export interface ClaimFlags {
  readonly key?: string;
  readonly permits?: number;
  readonly tokens?: number;
  readonly slots?: boolean;
  /** ms. */
  readonly ttl?: number;
  readonly holder?: string;
}

/** What `waitOptions` adds to a command. */
export interface WaitFlags extends ClaimFlags {
  /** ms. */
  readonly maxWait?: number;
  readonly verbose?: boolean;
}

export function claimOptions(command: Command): Command {
  return command
    .addOption(new Option("--key <key>", "which of a keyed limiter's keys"))
    .addOption(new Option("--permits <n>", "units of concurrency to hold (default: 1)").argParser(countValue))
    .addOption(new Option("--tokens <n>", "units of rate to spend (default: 1)").argParser(countValue))
    .addOption(new Option("--slots", "ask for a slot for each permit"))
    .addOption(
      new Option("--ttl <duration>", "how long the lease outlives its holder (default: the limiter's)").argParser(
        durationValue,
      ),
    )
    .addOption(new Option("--holder <name>", "the holder's name, for operators (default: user@host)"));
}

export function waitOptions(command: Command): Command {
  return claimOptions(command)
    .addOption(
      new Option(
        "--max-wait <duration>",
        "how long to wait; 0: now or not at all (default: as long as it takes)",
      ).argParser(durationValue),
    )
    .addOption(new Option("-v, --verbose", "say on standard error how the wait goes, terminal or not"));
}

/** Returns the options as the client takes them. `what`: the purpose, for the default name of the holder. */
export function toTryOptions(flags: ClaimFlags, what?: string): TryAcquireOptions & ClaimOptions {
  const { key, permits, tokens, slots, ttl, holder } = flags;
  return { key, permits, tokens, slots, ttl, holder: holder ?? holderOf(what) };
}

export function toAcquireOptions(flags: WaitFlags, what?: string): AcquireOptions & ClaimOptions {
  return { ...toTryOptions(flags, what), maxWait: flags.maxWait };
}

/** Returns the default name of the holder, cut to the contract's bound at a letter. */
function holderOf(what: string | undefined): string {
  const words = what === undefined ? userAtHost() : `${userAtHost()} ${what}`;
  return Buffer.from(words)
    .subarray(0, MAX_HOLDER_BYTES)
    .toString()
    .replace(/\ufffd+$/, "");
}

const MAX_HOLDER_BYTES = 256;
