/** The messages between the server's thread and the one that parses the configuration. */

import type { BoardConfig } from "../../machine/board/model.ts";
import type { LimiterConfig } from "../../machine/limiter/limiter.ts";
import type { ConfigOrigin, InvalidConfig, LoadedConfig } from "../config.ts";

/** What the thread is started with. */
export interface ParseJob {
  readonly text: string;
  readonly origin: ConfigOrigin;
}

/**
 * Each is asked for, so that taking over a file of thousands of limiters is many small turns of the server's event
 * loop.
 */
export type FromParser =
  | InvalidConfig
  /** All but the limiters and boards, which follow. */
  | Omit<LoadedConfig, "origin" | "text" | "limiters" | "boards">
  | { readonly kind: "limiters"; readonly limiters: readonly LimiterConfig[] }
  | { readonly kind: "boards"; readonly boards: readonly BoardConfig[] }
  | { readonly kind: "end" };

/** Limiters, or boards, of one message. */
export const HANDED_OVER_AT_ONCE = 200;
