/** The settings of a limiter, as options of `limiters set`. */

import { type Command, Option } from "commander";
import type { LimiterChanges, LimiterSettings } from "../../client/api/limiter.ts";
import { changesOf, unsetOption } from "./unset.ts";
import { amountRateValue, countValue, durationValue, rateValue } from "./values.ts";

/** What the options give: the settings, and names of those that go back to their defaults. */
export interface SettingFlags extends LimiterSettings {
  readonly keyed?: boolean;
  readonly unset?: readonly string[];
}

const OPTIONS: readonly Option[] = [
  new Option("--rate <rate>", "rate limit: an amount per period, as 10/m, 50/d, 100/s or 5/2h")
    .argParser(amountRateValue)
    .conflicts("maxRps"),
  new Option("--max-rps <n>", "rate limit: tokens a second").argParser(rateValue),
  new Option("--burst-size <n>", "tokens that an idle limiter has saved up").argParser(countValue),
  new Option("--max-concurrent <n>", "concurrency limit: permits").argParser(countValue),
  new Option("--keyed", "a bucket and a count of permits for each key; only when it is created"),
  new Option("--max-keys <n>", "keys in use at once").argParser(countValue),
  new Option("--max-waiters <n>", "how many may wait at once").argParser(countValue),
  new Option("--max-wait <duration>", "the longest that a request waits").argParser(durationValue),
  new Option("--refuse-long-waits", "refuse at once whose wait would be too long"),
  new Option("--no-refuse-long-waits", "let them wait and time out"),
  new Option("--ttl <duration>", "how long a lease outlives its holder, if a request does not say").argParser(
    durationValue,
  ),
  new Option("--max-ttl <duration>", "the longest ttl that a request may choose").argParser(durationValue),
  new Option("--trust-cancel", "a cancelled stream frees its lease at once"),
  new Option("--no-trust-cancel", "only Release does, as behind some proxies"),
  new Option("--paused", "grant nothing"),
  new Option("--no-paused", "admit"),
  new Option("--description <text>", "for people"),
];

const UNSETTABLE = {
  rate: "rate",
  "max-rps": "maxRps",
  "burst-size": "burstSize",
  "max-concurrent": "maxConcurrent",
  "max-keys": "maxKeys",
  "max-waiters": "maxWaiters",
  "max-wait": "maxWait",
  "refuse-long-waits": "refuseLongWaits",
  ttl: "ttl",
  "max-ttl": "maxTtl",
  "trust-cancel": "trustCancel",
  paused: "paused",
  description: "description",
} as const satisfies Record<string, keyof LimiterSettings>;

export function settingOptions(command: Command): Command {
  for (const option of OPTIONS) command.addOption(option);
  return command.addOption(unsetOption("burst-size ttl"));
}

/** The changes that are asked for; throws a `UsageError` where that makes no sense. */
export function limiterChangesOf(flags: SettingFlags): LimiterChanges {
  return changesOf<LimiterSettings>(UNSETTABLE, flags);
}
