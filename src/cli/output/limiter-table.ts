/** Limiters as a table: what `limiters` lists and `limiters watch` keeps up to date. */

import type { Limiter, LimiterStatus } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { LimiterState } from "../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import { durationToMs } from "../../client/wire/time.ts";
import { formatRoughly } from "../../text/duration.ts";
import { formatNumber } from "../../text/number.ts";
import { formatBar } from "../text/bar.ts";
import { formatLimiterRate } from "../text/rate.ts";
import { type Column, formatTable } from "../text/table.ts";

const BAR = 8;

const COLUMNS: readonly Column<Limiter>[] = [
  { heading: "LIMITER", cell: ({ name }) => name, cut: true },
  { heading: "IN USE", cell: ({ status }) => inUse(status), align: "right" },
  { heading: "", cell: ({ status }) => bar(status, BAR), leaveOut: 4 },
  { heading: "RATE", cell: rateWords, align: "right", leaveOut: 2 },
  { heading: "WAITING", cell: ({ status }) => formatNumber(Number(status?.waiters ?? 0)), align: "right" },
  { heading: "λ/s", cell: ({ status }) => formatNumber(status?.admissionRate ?? 0), align: "right", leaveOut: 3 },
  { heading: "μ/s", cell: ({ status }) => formatNumber(status?.completionRate ?? 0), align: "right", leaveOut: 3 },
  { heading: "P99 WAIT", cell: ({ status }) => spanWords(status?.waitTimeP99), align: "right", leaveOut: 1 },
  { heading: "STATE", cell: stateWords, leaveOut: 0 },
];

/** `width`: columns of the terminal; undefined: as many as it takes. */
export function limiterTable(limiters: readonly Limiter[], width: number | undefined): string[] {
  return formatTable(COLUMNS, limiters, width);
}

/** One limiter on one line, for where there is no room for a table. */
export function limiterLine(limiter: Limiter): string {
  const { name, status } = limiter;
  const rates = `λ ${formatNumber(status?.admissionRate ?? 0)}/s, μ ${formatNumber(status?.completionRate ?? 0)}/s`;
  return `${name}: ${inUse(status)} in use, ${formatNumber(Number(status?.waiters ?? 0))} waiting, ${rates}, ${stateWords(limiter)}`;
}

export function stateWords({ state, paused }: Limiter): string {
  if (state === LimiterState.DELETING) return "deleting";
  return paused ? "paused" : "active";
}

/** `3/20`; of a limiter that counts no permits, a dash. */
export function inUse(status: LimiterStatus | undefined): string {
  if (status === undefined || (status.permitsLimit === 0n && status.permitsInUse === 0n)) return "-";
  return `${formatNumber(Number(status.permitsInUse))}/${formatNumber(Number(status.permitsLimit))}`;
}

export function bar(status: LimiterStatus | undefined, columns: number): string {
  return status === undefined ? "" : formatBar(Number(status.permitsInUse), Number(status.permitsLimit), columns);
}

/** A measured span of time; a dash where none was. */
export function spanWords(span: LimiterStatus["waitTimeP99"]): string {
  return span === undefined ? "-" : formatRoughly(durationToMs(span));
}

function rateWords(limiter: Limiter): string {
  return formatLimiterRate(limiter) ?? "-";
}
