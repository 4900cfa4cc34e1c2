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

/** In the order of the help. `keyed` is chosen when a limiter is made, and for ever. */
const OPTIONS: Readonly<Record<keyof LimiterSettings | "keyed", readonly Option[]>> = {
  rate: [
    new Option("--rate <rate>", "rate limit: an amount per period, as 10/m, 50/d, 100/s or 5/2h")
      .argParser(amountRateValue)
      .conflicts("maxRps"),
  ],
  maxRps: [new Option("--max-rps <n>", "rate limit: tokens a second").argParser(rateValue)],
  burstSize: [new Option("--burst-size <n>", "tokens that an idle limiter has saved up").argParser(countValue)],
  maxConcurrent: [new Option("--max-concurrent <n>", "concurrency limit: permits").argParser(countValue)],
  keyed: [new Option("--keyed", "a bucket and a count of permits for each key; only when it is created")],
  maxKeys: [new Option("--max-keys <n>", "keys in use at once").argParser(countValue)],
  maxWaiters: [new Option("--max-waiters <n>", "how many may wait at once").argParser(countValue)],
  maxWait: [new Option("--max-wait <duration>", "the longest that a request waits").argParser(durationValue)],
  refuseLongWaits: [
    new Option("--refuse-long-waits", "refuse at once whose wait would be too long"),
    new Option("--no-refuse-long-waits", "let them wait and time out"),
  ],
  ttl: [
    new Option("--ttl <duration>", "how long a lease outlives its holder, if a request does not say").argParser(
      durationValue,
    ),
  ],
  maxTtl: [new Option("--max-ttl <duration>", "the longest ttl that a request may choose").argParser(durationValue)],
  trustCancel: [
    new Option("--trust-cancel", "a cancelled stream frees its lease at once"),
    new Option("--no-trust-cancel", "only Release does, as behind some proxies"),
  ],
  paused: [new Option("--paused", "grant nothing"), new Option("--no-paused", "admit")],
  description: [new Option("--description <text>", "for people")],
};

/** By the name of the option. */
const UNSETTABLE: Readonly<Record<string, keyof LimiterSettings>> = Object.fromEntries(
  (Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).flatMap((name) =>
    name === "keyed" ? [] : [[OPTIONS[name][0]?.name(), name]],
  ),
);

export function settingOptions(command: Command): Command {
  for (const option of Object.values(OPTIONS).flat()) command.addOption(option);
  return command.addOption(unsetOption("burst-size ttl"));
}

/** The changes that are asked for; throws a `UsageError` where that makes no sense. */
export function limiterChangesOf(flags: SettingFlags): LimiterChanges {
  return changesOf<LimiterSettings>(UNSETTABLE, flags);
}
