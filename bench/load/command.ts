/** The command line of the load generator. */

import { parseArgs } from "node:util";
import type { VerbOptions } from "./verbs.ts";

export const HELP = `Puts a gRPC server under load and prints what it saw, as JSON.

  node bench/load.ts --address HOST:PORT --verb VERB [options]

verbs
  try           TryAcquire, for a limiter that has a rate alone
  pair          TryAcquire and Release of what it granted (default)
  acquire       an Acquire stream that is opened, granted and cancelled
  session       Acquire and Release in a session, many in one message
  ratelimit     ShouldRateLimit of Envoy's protocol: the limiter is the domain, the key the value of one descriptor
  gubernator    GetRateLimits of gubernator

what is asked for
  --limiter NAME       default: db
  --limiters N         that many: NAME-0, NAME-1, …; 1 to 10,000 (default: 1, NAME itself)
  --keys N             so many keys of each, key-0, key-1, …; 0 to 1,000,000 (default: 0, none)
  --spread even|hot    all alike, or nine in ten for the first of them (default: even)
  --batch N            decisions in one call of gubernator; 1 to 1,000 (default: 1)

how it is asked
  --clients N          connections; 1 to 1,000 (default: 4)
  --in-flight N        closed loop: so many under way at any time; 1 to 100,000 (default: 64)
  --rate N             open loop: so many begin in a second, by a schedule, and latency counts from when each was due
  --arrivals even|random    the gaps of an open loop: all alike, or those of a Poisson process (default: even)
  --duration SECONDS   what is measured; 0.1 to 3,600 (default: 10)
  --warm-up SECONDS    before that; 0 to 600 (default: 1)

Exit code 0: it ran, also where some failed or were refused (see the JSON); 1: the server could not be asked; 2: an option is wrong.
TLS is not spoken.
`;

export const VERBS = ["try", "pair", "acquire", "session", "ratelimit", "gubernator"] as const;
export type VerbName = (typeof VERBS)[number];

export interface LoadCommand {
  readonly verb: VerbName;
  readonly options: VerbOptions;
  readonly batch: number;
  readonly loop:
    | { readonly kind: "closed"; readonly inFlight: number }
    | { readonly kind: "open"; readonly rate: number; readonly arrivals: "even" | "random" };
  /** ms */
  readonly duration: number;
  readonly warmUp: number;
}

export type Reading =
  | { readonly kind: "command"; readonly command: LoadCommand }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

const text = { type: "string" } as const;
const OPTIONS = {
  address: text,
  verb: { ...text, default: "pair" },
  limiter: { ...text, default: "db" },
  limiters: { ...text, default: "1" },
  keys: { ...text, default: "0" },
  spread: { ...text, default: "even" },
  batch: { ...text, default: "1" },
  clients: { ...text, default: "4" },
  "in-flight": text,
  rate: text,
  arrivals: { ...text, default: "even" },
  duration: { ...text, default: "10" },
  "warm-up": { ...text, default: "1" },
  help: { type: "boolean", short: "h", default: false },
} as const;

export function readCommand(args: readonly string[]): Reading {
  const problems: string[] = [];
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return { kind: "wrong", problems: [(error as Error).message] };
  }
  if (values.help) return { kind: "help" };

  const number = (name: keyof typeof values, least: number, most: number, whole = true): number => {
    const given = values[name];
    const value = Number(given);
    const fits = value >= least && value <= most && (!whole || Number.isInteger(value));
    if (!fits) problems.push(`--${name} ${given}: a ${whole ? "whole number" : "number"} from ${least} to ${most}`);
    return value;
  };
  const one = <T extends string>(name: keyof typeof values, choices: readonly T[]): T => {
    const found = choices.find((choice) => choice === values[name]);
    if (found === undefined) problems.push(`--${name} ${values[name]}: one of ${choices.join(", ")}`);
    return found ?? (choices[0] as T);
  };
  const { address = "" } = values;
  if (!/^.+:\d+$/.test(address))
    problems.push(`--address ${address || "is missing"}: HOST:PORT, as in 127.0.0.1:50051`);
  if (values.rate !== undefined && values["in-flight"] !== undefined) {
    problems.push("--rate is an open loop and --in-flight a closed one: give one of them");
  }
  const command: LoadCommand = {
    verb: one("verb", VERBS),
    options: {
      address,
      clients: number("clients", 1, 1_000),
      limiter: values.limiter,
      limiters: number("limiters", 1, 10_000),
      keys: number("keys", 0, 1_000_000),
      spread: one("spread", ["even", "hot"]),
    },
    batch: number("batch", 1, 1_000),
    loop:
      values.rate === undefined
        ? { kind: "closed", inFlight: values["in-flight"] === undefined ? 64 : number("in-flight", 1, 100_000) }
        : { kind: "open", rate: number("rate", 0.1, 1_000_000, false), arrivals: one("arrivals", ["even", "random"]) },
    duration: number("duration", 0.1, 3_600, false) * 1_000,
    warmUp: number("warm-up", 0, 600, false) * 1_000,
  };
  return problems.length > 0 ? { kind: "wrong", problems } : { kind: "command", command };
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS }).values;
}
