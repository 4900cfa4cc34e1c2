/** The rate of a limiter as people write it. */

import { formatRate } from "../../client/api/rate.ts";
import type { Limiter } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { durationToMs } from "../../client/wire/time.ts";
import { formatExactly } from "../../text/number.ts";

/** ms. */
const PERIODS = [60_000, 3_600_000, 86_400_000, 2_592_000_000];

/** `10/m`, as it was written; of tokens a second `2.5/s`, or `10/m` where only that is short. Undefined: no rate limit. */
export function formatLimiterRate({ rate, maxRps }: Pick<Limiter, "rate" | "maxRps">): string | undefined {
  if (rate?.per !== undefined) return formatRate({ tokens: rate.tokens, per: durationToMs(rate.per) });
  if (maxRps === undefined) return undefined;
  if (Number(maxRps.toFixed(3)) === maxRps) return `${formatExactly(maxRps)}/s`;
  for (const per of PERIODS) {
    const tokens = Math.round((maxRps * per) / 1_000);
    // The quotient of two whole numbers is the double that the server shows.
    if (tokens >= 1 && (tokens * 1_000) / per === maxRps) return formatRate({ tokens, per });
  }
  return `${formatExactly(maxRps)}/s`;
}
