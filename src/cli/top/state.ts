/** What `top` knows and shows. Instants are ms; monotonic unless they say otherwise. */

import type { Board } from "../../client/api/board.ts";
import type { Limiter } from "../../client/api/limiter.ts";
import type { Seen } from "../../explain/overview.ts";
import { standingOf } from "../../explain/standing.ts";
import type { SortKey } from "./arrange.ts";
import type { Detail } from "./detail.ts";

export type Connection =
  | { readonly kind: "live" }
  /** What is shown is as of then. */
  | { readonly kind: "lost"; readonly at: number; readonly wall: number; readonly why: string };

export type Tab = "limiters" | "boards";

/** One thing that is looked at closely. */
export interface Opened {
  readonly tab: Tab;
  readonly name: string;
  /** Undefined: it is being read. */
  detail: Detail | undefined;
  /** Lines that are scrolled past. */
  scrolled: number;
}

export interface TopState {
  readonly address: string;
  connection: Connection;
  /** With when each was heard of. */
  readonly limiters: Map<string, { readonly limiter: Limiter; readonly at: number }>;
  boards: readonly Board[];
  tab: Tab;
  sort: SortKey;
  filter: string;
  isFiltering: boolean;
  /** The name of the row that is selected, so that it stays when the order changes; undefined: the first. */
  selected: string | undefined;
  /** Where it stood last, for when it goes. */
  selectedIndex: number;
  /** Rows that are scrolled past. */
  scrolled: number;
  opened: Opened | undefined;
}

export function createTopState(address: string): TopState {
  return {
    address,
    connection: { kind: "live" },
    limiters: new Map(),
    boards: [],
    tab: "limiters",
    sort: "t",
    filter: "",
    isFiltering: false,
    selected: undefined,
    selectedIndex: 0,
    scrolled: 0,
    opened: undefined,
  };
}

/** All limiters as they stand now, or stood when the server was lost. */
export function seenAt({ limiters, connection }: TopState, now: number): Seen[] {
  const asOf = connection.kind === "lost" ? connection.at : now;
  return Array.from(limiters.values(), ({ limiter, at }) => ({
    limiter,
    standing: standingOf(limiter, { elapsed: Math.max(0, asOf - at) }),
  }));
}
