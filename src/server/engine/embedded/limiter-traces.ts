/** Follows sampled requests through the limiters' machine: each step is looked at, while there are any. */

import type { Change, Command, MachineEvent, Outcome } from "../../machine/limiter/command.ts";
import type { Lease } from "../../machine/limiter/lease.ts";
import type { Attributes } from "../../tracing/span.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import { WORDS } from "../../tracing/words.ts";
import { createOpenTraces, LEFT, refusedAttributes } from "./open-traces.ts";

export interface LimiterTraces {
  /** Whether steps are to be looked at. */
  readonly isFollowing: boolean;
  /** The command of a sampled call is about to be decided. */
  ask(command: Command, trace: TraceContext, now: number): void;
  /** This was decided. */
  decided(command: Command, step: Decided, now: number): void;
  /** The engine ends. */
  close(now: number): void;
}

interface Decided {
  readonly outcome: Outcome;
  readonly events: readonly MachineEvent[];
  readonly changes: readonly Change[];
}

export function createLimiterTraces(tracer: Pick<Tracer, "add">): LimiterTraces {
  const open = createOpenTraces(tracer);

  function granted(id: string, lease: Lease, held: boolean, now: number): void {
    open.granted(id, now, { attributes: { [WORDS.lease]: lease.id }, held: held ? lease.id : undefined });
  }

  function answered(id: string, outcome: Outcome, now: number): void {
    if (outcome.kind === "granted") granted(id, outcome.lease, outcome.held && !outcome.resumed, now);
    else if (outcome.kind === "refused") open.notGranted(id, now, refusedAttributes(outcome.reason));
    else if (outcome.kind === "waiting" && outcome.waiterId !== id) open.rename(id, outcome.waiterId);
  }

  function happened({ about, news }: MachineEvent, now: number): void {
    if (!open.isWaiting(about)) return;
    if (news.kind === "granted") granted(about, news.lease, news.held, now);
    else if (news.kind === "refused") open.notGranted(about, now, refusedAttributes(news.reason));
  }

  return {
    get isFollowing() {
      return open.size > 0;
    },
    ask(command, trace, now) {
      if (command.kind !== "acquire" && command.kind !== "try-acquire") return;
      open.ask(command.id, { trace, waits: command.kind === "acquire", attributes: claimsOf(command) }, now);
    },
    decided(command, { outcome, events, changes }, now) {
      // An answer comes before the events of its step.
      if ("id" in command && command.kind !== "leave" && command.kind !== "abandon") answered(command.id, outcome, now);
      for (const event of events) happened(event, now);
      for (const change of changes) {
        // What has no stream hears of nothing.
        if (change.kind === "lease-put" && open.isWaiting(change.lease.id)) {
          granted(change.lease.id, change.lease, true, now);
        } else if (change.kind === "lease-ended") open.ended(change.lease.id, now, change.end);
      }
      for (const change of changes) {
        if (change.kind === "waiter-left") open.notGranted(change.waiter.id, now, LEFT);
      }
    },
    close: open.close,
  };
}

function claimsOf({ claims }: Extract<Command, { kind: "acquire" | "try-acquire" }>): Attributes {
  return {
    [WORDS.limiters]: claims.map(({ limiter }) => limiter),
    [WORDS.permits]: claims.map(({ permits }) => permits),
    [WORDS.tokens]: claims.map(({ tokens }) => tokens),
  };
}
