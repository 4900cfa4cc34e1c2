/** Sizes as people read them. */

import { formatNumber } from "./number.ts";

const UNITS = ["kB", "MB", "GB", "TB"] as const;

/** In powers of a thousand, to three digits or the whole number: `512 B`, `48.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length);
  return `${formatNumber(bytes / 1_000 ** power)} ${UNITS[power - 1]}`;
}
