/** What one caller may do. */

import type { CallerBounds } from "../machine/callers.ts";

/** How much one caller may have at once, and how often it may ask. */
export interface Bounds extends CallerBounds {
  /** Over all ports; undefined: any number. */
  readonly maxConnections?: number | undefined;
  /** Calls, and commands of sessions; undefined: any number. */
  readonly maxRequestsPerSecond?: number | undefined;
}

export type Verb = "acquire" | "observe" | "operate";

/** How far a caller may go with a limiter. */
export type Reach =
  /** With all of it. */
  | "whole"
  /** With some of its keys. */
  | "keys"
  | "none";

export interface Rights {
  /** Whether it has a credential, so that it may ask what there is to ask. */
  readonly isKnown: boolean;
  reach(verb: Verb, limiter: string): Reach;
  /** Whether it may do this with one key of a limiter; empty: with one that has no keys. */
  mayKey(verb: Verb, limiter: string, key: string): boolean;
  mayBoard(verb: Verb, board: string): boolean;
  /** Whether it may do this with all that there is, or could be. */
  mayAll(verb: Verb): boolean;
  /** What the first entry says that is for it and says something; undefined: the server's own. */
  readonly bounds: Bounds | undefined;
}

/** Of every caller, where there is no list. */
export const EVERYTHING: Rights = {
  isKnown: true,
  reach: () => "whole",
  mayKey: () => true,
  mayBoard: () => true,
  mayAll: () => true,
  bounds: undefined,
};
