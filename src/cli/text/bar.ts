/** A share as a bar. */

const FULL = "█";
const EMPTY = "░";

/** So many columns of bar for `part / whole`; what is not nothing shows, and so does what is not all. */
export function formatBar(part: number, whole: number, columns: number): string {
  if (whole <= 0) return "";
  const share = Math.min(1, part / whole);
  const filled = share === 0 || share === 1 ? share * columns : clamp(Math.round(share * columns), 1, columns - 1);
  return FULL.repeat(filled) + EMPTY.repeat(columns - filled);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
