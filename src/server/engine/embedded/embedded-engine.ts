/** The default engine: one process, the machine's state in memory, one timer, records through the store. */

import type { Clock } from "../../clock.ts";
import { createMachine, type MachineOptions, type State } from "../../machine/admission.ts";
import type { StreamId } from "../../machine/claim.ts";
import type { Change, Command, MachineEvent } from "../../machine/command.ts";
import type { Waiter } from "../../machine/limiter.ts";
import { pageLeases, pageLimiters, pageWaiters, takeMoved, viewLimiter, viewWaiter } from "../../machine/read.ts";
import { type ShownNews, type ShownOutcome, type ShownOutcomeOf, showNews, showOutcome } from "../../machine/show.ts";
import type { Store } from "../../store/store.ts";
import type { Engine, OutcomesOf, StreamListener } from "../engine.ts";
import { createAlarm } from "./alarm.ts";
import { createDeclaring, type Declaring } from "./declaring.ts";
import { createDelivery, partition } from "./delivery.ts";
import { createLimiterWatch } from "./limiter-watch.ts";
import { createSlices } from "./slices.ts";

export interface EmbeddedEngineOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly machine: Omit<MachineOptions, "learning">;
  /** Sees the machine after each turn: tests hold its invariants to it. */
  readonly inspect?: (state: State) => void;
}

export interface EmbeddedEngine extends Engine, Pick<Declaring, "declare" | "declareAtOnce"> {
  /** Changes how many may wait at once; present waiters stay. */
  setMaxWaiters(maxWaiters: number): void;
  /** Changes how many limiters may exist that no file declares; those that do already stay. */
  setMaxLimiters(maxLimiters: number): void;
  /** Grants nothing from here on; what is held goes on. */
  stopGranting(): void;
}

/** µs: how often those in a queue hear that it has moved, and watchers what has changed. */
const NEWS_INTERVAL = 250_000;
/** How many in a queue hear that it has moved before others have a turn: a thousand words would hold up the next grant. */
const TOLD_AT_ONCE = 4;

export function createEmbeddedEngine(options: EmbeddedEngineOptions): EmbeddedEngine {
  const { clock, store, inspect } = options;
  const { wallTime } = clock;
  const { incompleteFor } = store;
  const machine = createMachine({ ...options.machine, learning: incompleteFor > 0 });
  const { state } = machine;
  const streams = new Map<StreamId, StreamListener>();
  const delivery = createDelivery();
  const alarm = createAlarm(clock, () => run([WAKE], () => {}));
  const survey = createAlarm(clock, surveyMoved);
  const telling = createSlices({ clock, size: TOLD_AT_ONCE, handle: tellMoved });
  const declaring = createDeclaring({
    clock,
    state,
    run: (command, answer) => run([command], ([outcome]) => answer(outcome as ShownOutcomeOf<typeof command>)),
  });
  const watch = createLimiterWatch({ clock, interval: NEWS_INTERVAL, state, settle });
  let stopLearning = () => {};
  let closed = false;
  let lastStream = 0;

  function run(commands: readonly Command[], answer: (outcomes: readonly ShownOutcome[]) => void): void {
    if (closed) return;
    const now = clock.now();
    const outcomes: ShownOutcome[] = [];
    let events: readonly ShownEvent[] = NOTHING;
    let changes: readonly Change[] = NOTHING;
    for (const command of commands) {
      const step = machine.step(command, now);
      outcomes.push(showOutcome(state, step.outcome, wallTime));
      events = joined(events, step.events.map(show));
      changes = joined(changes, step.changes);
      alarm.set(step.wakeAt, step.precise);
    }
    inspect?.(state);
    if (state.moved.length > 0) survey.setUnlessSet(now + NEWS_INTERVAL);
    const kept = changes.length > 0 ? store.keep(changes) : undefined;
    const tell = (told: readonly ShownEvent[]) => {
      for (const { to, about, news } of told) streams.get(to)?.(news, about);
    };
    const waits = kept !== undefined || delivery.isHeldUp;
    if (!waits) {
      delivery.add(undefined, () => {
        answer(outcomes);
        tell(events);
      });
      return;
    }
    // What may overtake what is not kept yet: see `Engine`.
    const gives = commands.every(takesNothing);
    const early = gives || outcomes.every(isRefusal);
    const given = gives ? endedBy(outcomes) : undefined;
    const isEarly = ({ about, news }: ShownEvent) =>
      news.kind === "refused" || (news.kind === "ended" && given?.has(about) === true);
    const [soon, later] = partition(events, isEarly);
    if (early || soon.length > 0) {
      delivery.overtake(() => {
        if (early) answer(outcomes);
        tell(soon);
      });
    }
    if (early && later.length === 0) return;
    delivery.add(kept, () => {
      if (!early) answer(outcomes);
      tell(later);
    });
  }

  function show({ to, about, news }: MachineEvent): ShownEvent {
    return { to, about, news: showNews(state, news, wallTime) };
  }

  function takeUp(): void {
    const forgotten = machine.restore(store.found.limiters, clock.now());
    if (forgotten.length > 0) store.keep(forgotten);
    settle();
    if (!state.learning) return;
    stopLearning = clock.schedule(clock.now() + incompleteFor, false, () => run([{ kind: "end-learning" }], () => {}));
  }

  /** What is looked at is looked at as of now. */
  function settle(): void {
    run([WAKE], () => {});
  }

  function surveyMoved(): void {
    if (telling.busy) {
      survey.setUnlessSet(clock.now() + NEWS_INTERVAL);
      return;
    }
    settle();
    telling.begin(takeMoved(state));
  }

  /** Some may have been granted, or have left, since the survey. */
  function tellMoved(waiters: readonly Waiter[]): void {
    const moved = waiters
      .filter((waiter) => state.waiters.has(waiter))
      .map((waiter) => ({ stream: waiter.stream, view: viewWaiter(waiter, state.now, wallTime) }));
    delivery.add(undefined, () => {
      for (const { stream, view } of moved) {
        if (stream !== undefined) streams.get(stream)?.({ kind: "moved", waiter: view }, view.id);
      }
    });
  }

  takeUp();
  return {
    submit<const C extends readonly Command[]>(commands: C, answer: (outcomes: OutcomesOf<C>) => void) {
      run(commands, answer as (outcomes: readonly ShownOutcome[]) => void);
    },
    openStream(listener) {
      lastStream += 1;
      streams.set(lastStream, listener);
      return lastStream;
    },
    closeStream(stream) {
      streams.delete(stream);
    },
    async limiter(name, key) {
      settle();
      const limiter = state.limiters.get(name);
      return limiter && viewLimiter(state, limiter, wallTime, key);
    },
    async limiters(query) {
      settle();
      return pageLimiters(state, query, wallTime);
    },
    async leases(query) {
      settle();
      return pageLeases(state, query, wallTime);
    },
    async knowsLease(id) {
      return state.leases.has(id) || state.pastLeases.get(id) !== undefined;
    },
    async waiters(query) {
      settle();
      return state.limiters.has(query.limiter) ? pageWaiters(state, query, wallTime) : undefined;
    },
    async waiter(id) {
      const waiter = state.waiters.get(id);
      return waiter && viewWaiter(waiter, Math.max(state.now, clock.now()), wallTime);
    },
    watch: (listener) => watch.add(listener),
    declare: declaring.declare,
    declareAtOnce: declaring.declareAtOnce,
    setMaxLimiters(maxLimiters) {
      state.maxLimiters = maxLimiters;
    },
    setMaxWaiters(maxWaiters) {
      state.maxWaiters = maxWaiters;
    },
    stopGranting() {
      stopLearning();
      run([{ kind: "stop-granting" }], () => {});
    },
    async close() {
      closed = true;
      declaring.close();
      stopLearning();
      alarm.clear();
      survey.clear();
      telling.clear();
      watch.close();
      streams.clear();
    },
  };
}

/** An event whose news are plain copies. */
type ShownEvent = Omit<MachineEvent, "news"> & { readonly news: ShownNews };

const WAKE = { kind: "wake" } as const;
const NOTHING: readonly never[] = [];

function joined<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  if (a.length === 0) return b;
  return b.length === 0 ? a : [...a, ...b];
}

/** What a crash may forget: then a lease has its time as before. */
function takesNothing({ kind }: Command): boolean {
  return kind === "release" || kind === "withdraw" || kind === "renew" || kind === "abandon";
}

function isRefusal({ kind }: ShownOutcome): boolean {
  return kind === "refused";
}

/** The leases that these have ended. */
function endedBy(outcomes: readonly ShownOutcome[]): ReadonlySet<string> {
  return new Set(outcomes.flatMap((outcome) => (outcome.kind === "ended" ? [outcome.leaseId] : [])));
}
