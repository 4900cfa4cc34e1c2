/** What an examination finds: what there is, why that matters, and what to do. */

/**
 * `ok`: as it should be. `note`: worth knowing. `warning`: it works, and something is likely not as it is meant. `problem`:
 * it does not work, or not safely.
 */
export type Level = "ok" | "note" | "warning" | "problem";

export interface Finding {
  readonly level: Level;
  /** Names the check, for scripts. */
  readonly check: string;
  readonly what: string;
  /** Empty where `level` is `ok`. */
  readonly why: string;
  /** Empty where there is nothing to do. */
  readonly todo: string;
}

export function ok(check: string, what: string): Finding {
  return { level: "ok", check, what, why: "", todo: "" };
}

/** Names of what a finding is about, the first few. */
export function some(names: readonly string[]): string {
  const MOST = 5;
  const more = names.length - MOST;
  return more > 0 ? `${names.slice(0, MOST).join(", ")} and ${more} more` : names.join(", ");
}
