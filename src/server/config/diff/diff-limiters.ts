/** Limiters: what the file declares against what runs. */

import { create } from "@bufbuild/protobuf";
import { formatRate } from "../../../client/api/rate.ts";
import { type Limiter, LimiterSchema, LimiterState } from "../../gen/ggen/backpressure/v1/limiter_pb.ts";
import { type LimiterConfig, sameConfig } from "../../machine/limiter/limiter.ts";
import { type Rate, sameRate } from "../../machine/limiter/rate.ts";
import { OUTPUT_FIELDS } from "../../wire/limiter-update.ts";
import { limiterConfig, limiterFields } from "../../wire/limiter-wire.ts";
import type { Changed, Difference, TakeUp } from "./difference.ts";
import { changedFields, type FieldValues, fieldValues } from "./field-values.ts";

export interface RunningLimiters {
  readonly limiters: readonly Limiter[];
  readonly declaredLimiters: readonly Limiter[];
}

export function diffLimiters(
  file: readonly LimiterConfig[],
  running: RunningLimiters,
  takeUp: TakeUp,
): readonly Difference[] {
  const now = new Map(running.limiters.map((limiter) => [limiter.name, limiter]));
  const declared = new Map(running.declaredLimiters.map((limiter) => [limiter.name, configOf(limiter)]));
  const named = new Set(file.map(({ name }) => name));
  return [
    ...file.flatMap((config) => diffOne(config, now.get(config.name), declared.get(config.name), takeUp)),
    ...running.limiters.filter(({ name }) => !named.has(name)).flatMap((limiter) => diffUnnamed(limiter, takeUp)),
  ];
}

function diffOne(
  file: LimiterConfig,
  limiter: Limiter | undefined,
  declared: LimiterConfig | undefined,
  { why, by }: TakeUp,
): readonly Difference[] {
  const about = { kind: "limiter", name: file.name } as const;
  if (limiter === undefined) {
    return [{ ...about, field: "", file: "declared", running: undefined, why, explanation: `is made by ${by}` }];
  }
  const { keyed: isKeyed, ...changed } = splitKeyed(changesOf(file, configOf(limiter)));
  const isTakenUp = declared !== undefined && sameConfig(declared, file);
  const isOwnedByFile = declared !== undefined && limiter.state !== LimiterState.DELETING;
  const ownership: Difference[] = isOwnedByFile
    ? []
    : [
        {
          ...about,
          field: "",
          file: "declared",
          running: limiter.state === LimiterState.DELETING ? "being deleted" : "made by RPC",
          why,
          explanation: `is the file's from ${by} on, and what is held of it goes on`,
        },
      ];
  const fields = changed.others.map((change): Difference => {
    if (isTakenUp) {
      const explanation = "was changed by RPC since the file was taken up; stays so until its declaration changes";
      return { ...about, ...change, why: "changed-by-rpc", explanation };
    }
    return { ...about, ...change, why, explanation: `takes effect by ${by}` };
  });
  return [...ownership, ...(isKeyed === undefined ? [] : [diffKeyed(isKeyed, limiter, { why, by })]), ...fields];
}

/** Taken up only where nothing is held or waited for; see `declare` of the machine. */
function diffKeyed(change: Changed, { name, status }: Limiter, { why, by }: TakeUp): Difference {
  const about = { kind: "limiter", name, ...change } as const;
  const [leases, waiters] = [status?.leases ?? 0n, status?.waiters ?? 0n];
  if (leases + waiters === 0n) {
    return { ...about, why, explanation: `the limiter begins anew by ${by}, its buckets full, if it is idle then` };
  }
  const explanation =
    `refused while it is in use (leases: ${leases}, waiters: ${waiters}); its other fields are taken up; send SIGHUP once it ` +
    "is idle, or declare it under another name";
  return { ...about, why: "refused", explanation };
}

function diffUnnamed({ name, declared, state, status }: Limiter, { why, by }: TakeUp): readonly Difference[] {
  // It is on its way out already.
  if (state === LimiterState.DELETING) return [];
  const about = { kind: "limiter", name, field: "", file: undefined } as const;
  if (!declared) {
    const explanation = "was made by RPC and stays, whatever the file says; declare it, or delete it by RPC";
    return [{ ...about, running: "made by RPC", why: "made-by-rpc", explanation }];
  }
  const held = status?.leases ?? 0n;
  const drained = held === 0n ? "" : `, when its leases (${held}) have ended`;
  return [{ ...about, running: "declared", why, explanation: `is deleted by ${by}${drained}` }];
}

function changesOf(file: LimiterConfig, running: LimiterConfig): readonly Changed[] {
  const changes = changedFields(valuesOf(file), valuesOf(running));
  if (sameRate(file.rate, running.rate)) return changes;
  return [{ field: "rate", file: rateText(file.rate), running: rateText(running.rate) }, ...changes];
}

/** What is for keyed limiters alone comes and goes with `keyed`. */
function splitKeyed(changes: readonly Changed[]): { readonly keyed?: Changed; readonly others: readonly Changed[] } {
  const keyed = changes.find(({ field }) => field === "keyed");
  if (keyed === undefined) return { others: changes };
  return { keyed, others: changes.filter(({ field }) => field !== "keyed" && field !== "max_keys") };
}

/** Without its rate, which has two notations; the burst stands in it, too. */
function valuesOf(config: LimiterConfig): FieldValues {
  return fieldValues(LimiterSchema, create(LimiterSchema, limiterFields(config)), NOT_COMPARED);
}

const NOT_COMPARED = new Set([...OUTPUT_FIELDS, LimiterSchema.field.rate, LimiterSchema.field.maxRps]);
const MICROS = 1_000;

function rateText(rate: Rate | undefined): string | undefined {
  if (rate === undefined) return undefined;
  const { stated } = rate;
  return stated.kind === "amount"
    ? formatRate({ tokens: stated.tokens, per: stated.per / MICROS })
    : `${stated.maxRps}/s`;
}

/** Of a message that the server has sent. */
function configOf(limiter: Limiter): LimiterConfig {
  const reading = limiterConfig(limiter);
  if (reading.kind === "valid") return reading.config;
  throw new Error(`the server runs a limiter that this version cannot read: ${JSON.stringify(reading.violations)}`);
}
