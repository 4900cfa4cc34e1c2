/** Durations as people read them; numbers are milliseconds. */

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;

/** As `parseDuration` reads it, to the millisecond: `1m30s`, `2.5s`, `250ms`. */
export function formatDuration(ms: number): string {
  let left = Math.round(ms);
  if (left < UNITS.s) return `${left}ms`;
  let text = "";
  for (const unit of ["d", "h", "m"] as const) {
    const count = Math.floor(left / UNITS[unit]);
    left -= count * UNITS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return left > 0 ? `${text}${left / UNITS.s}s` : text;
}

/** No finer than a reader needs: `0.4ms`, `250ms`, `2.5s`, `1m30s`, `3h12m`. */
export function formatRoughly(ms: number): string {
  if (ms > 0 && ms < 10) return `${Number(ms.toFixed(1))}ms`;
  const steps = [
    { below: UNITS.s, step: 1 },
    { below: 10 * UNITS.s, step: 10 },
    { below: UNITS.m, step: 100 },
    { below: UNITS.h, step: UNITS.s },
    { below: UNITS.d, step: UNITS.m },
  ];
  const step = steps.find(({ below }) => ms < below)?.step ?? UNITS.h;
  return formatDuration(Math.round(ms / step) * step);
}
