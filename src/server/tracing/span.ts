/** A span that has ended: a plain value, which crosses to other threads. */

import type { TraceContext } from "./trace-context.ts";

export interface Span {
  readonly context: TraceContext;
  /** Empty: it is the first of its trace. */
  readonly parentSpanId: string;
  /** Whether its parent is another process's. */
  readonly isParentRemote: boolean;
  readonly kind: "server" | "internal";
  readonly name: string;
  /** ms since 1970, with fractions. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  /** Whether it counts as failed. */
  readonly isError: boolean;
}

/** Undefined ones are left out. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** A number that is whole is sent as an integer. */
export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];
