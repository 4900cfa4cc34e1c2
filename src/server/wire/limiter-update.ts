/** UpdateLimiter: what becomes of a limiter's configuration when some fields of it are changed. */

import { create, type DescField } from "@bufbuild/protobuf";
import { type Limiter, LimiterSchema } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import type { LimiterConfig } from "../machine/limiter/limiter.ts";
import { toMaxRps } from "../machine/limiter/rate.ts";
import { applyMask, type Updatable } from "./field-mask.ts";
import { type LimiterReading, limiterConfig, saidFields } from "./limiter-wire.ts";
import { rateMessage } from "./rate-wire.ts";
import { violationsIn, violationsOf } from "./validate.ts";

/** Output fields of a limiter: they cannot be set. */
export const OUTPUT_FIELDS: ReadonlySet<DescField> = new Set([
  LimiterSchema.field.etag,
  LimiterSchema.field.declared,
  LimiterSchema.field.state,
  LimiterSchema.field.createTime,
  LimiterSchema.field.updateTime,
  LimiterSchema.field.status,
]);

const UPDATABLE: Updatable<typeof LimiterSchema> = {
  schema: LimiterSchema,
  noun: "limiter",
  output: OUTPUT_FIELDS,
  fixed: new Set([LimiterSchema.field.name, LimiterSchema.field.keyed]),
};

/**
 * The configuration after the fields that `paths` names have been taken from the message. The contract's rules are held
 * against the whole result; violations name fields of UpdateLimiterRequest.
 *
 * Defaults that follow other fields keep following them: after `max_rps` alone was changed, a burst that was what 50 ms
 * brought is what 50 ms bring now. Whether the burst had been left out or written as just that value makes no
 * difference; the same holds for `ttl` and `max_ttl`.
 *
 * `max_rps` and `rate` are one setting in two notations: an update that takes either replaces both.
 */
export function applyUpdate(current: LimiterConfig, message: Limiter, paths: readonly string[]): LimiterReading {
  const update = applyMask(UPDATABLE, create(LimiterSchema, saidFields(current)), { changes: message, paths });
  if (update.kind === "invalid") return update;
  takeRate(current, update.message, takenRate(message, paths));
  const violations = violationsOf(LimiterSchema, update.message);
  if (violations.length === 0) return limiterConfig(update.message);
  return { kind: "invalid", violations: violationsIn("limiter", violations) };
}

interface TakenRate {
  readonly rate: Limiter["rate"];
  readonly maxRps: Limiter["maxRps"];
}

/** What an update says about the rate; undefined: nothing. */
function takenRate({ rate, maxRps }: Limiter, paths: readonly string[]): TakenRate | undefined {
  if (paths.length === 0) return rate === undefined && maxRps === undefined ? undefined : { rate, maxRps };
  const [takesRate, takesMaxRps] = [paths.includes("rate"), paths.includes("max_rps")];
  if (!takesRate && !takesMaxRps) return undefined;
  return { rate: takesRate ? rate : undefined, maxRps: takesMaxRps ? maxRps : undefined };
}

function takeRate(current: LimiterConfig, message: Limiter, taken: TakenRate | undefined): void {
  if (taken === undefined) return;
  message.rate = taken.rate;
  message.maxRps = taken.maxRps;
  // A client that does not know `rate` sends back what it was shown of it.
  const stated = current.rate?.stated;
  const isAsShown = stated?.kind === "amount" && taken.rate === undefined && taken.maxRps === toMaxRps(stated);
  if (isAsShown) message.rate = rateMessage(stated);
}
