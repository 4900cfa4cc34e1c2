/** The default engine: one process, the machine's state in memory, one timer, records through the store. */

import type { Clock } from "../../clock.ts";
import { type CallerBounds, keyOfCaller } from "../../machine/callers.ts";
import type { Command, MachineEvent } from "../../machine/limiter/command.ts";
import type { Waiter } from "../../machine/limiter/limiter.ts";
import { createMachine, type MachineOptions, type State } from "../../machine/limiter/machine.ts";
import {
  pageLeases,
  pageLimiters,
  pageWaiters,
  takeMoved,
  viewLimiter,
  viewWaiter,
} from "../../machine/limiter/read.ts";
import {
  type ShownNews,
  type ShownOutcome,
  type ShownOutcomeOf,
  showNews,
  showOutcome,
} from "../../machine/limiter/show.ts";
import { viewLease } from "../../machine/limiter/view.ts";
import type { Store } from "../../store/store.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { Tracer } from "../../tracing/tracer.ts";
import { type AnswerTo, type Ask, type Engine, EngineUnavailable, OVERTAKES, type StreamNews } from "../engine.ts";
import { createAlarm } from "./alarm.ts";
import { createDeclaring, type Declaring } from "./declaring.ts";
import { createDelivery, type ShownEvent } from "./delivery.ts";
import { createLimiterHistory } from "./limiter-history.ts";
import { createLimiterTraces } from "./limiter-traces.ts";
import { createLimiterWatch } from "./limiter-watch.ts";
import { createSlices } from "./slices.ts";

export interface EmbeddedEngineOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly machine: Omit<MachineOptions, "learning">;
  /** Keeps how each limiter stood in the last hour, for which it looks at them every 15 s for ever. */
  readonly keepsHistory?: boolean;
  /** Takes the spans of what sampled requests wait for and hold; unset: none are made. */
  readonly tracer?: Pick<Tracer, "add"> | undefined;
  /** Called when the learning after the start is over, and leases are granted again; not where the engine is closed before. */
  readonly onLearned?: (state: State) => void;
  /** Sees the machine after each turn: tests hold its invariants to it. */
  readonly inspect?: (state: State) => void;
}

export interface EmbeddedEngine extends Engine, Pick<Declaring, "declare" | "declareAtOnce"> {
  /** Changes how many may wait at once; present waiters stay. */
  setMaxWaiters(maxWaiters: number): void;
  /** Changes how many limiters may exist that no file declares; those that do already stay. */
  setMaxLimiters(maxLimiters: number): void;
  /** Changes how much one caller may have whose command does not say it; undefined: any amount. What there is stays. */
  setCallerBounds(bounds: CallerBounds | undefined): void;
  /** Grants nothing from here on; what is held goes on. */
  stopGranting(): void;
  /** Brings the machine's state up to now, for whoever measures it and changes nothing. Throws once it is closed. */
  look(): State;
}

/** µs: how often those in a queue hear that it has moved, and watchers what has changed. */
const NEWS_INTERVAL = 250_000;
/** How many in a queue hear that it has moved before others have a turn: a thousand words would hold up the next grant. */
const TOLD_AT_ONCE = 4;

export function createEmbeddedEngine(options: EmbeddedEngineOptions): EmbeddedEngine {
  const { clock, store, keepsHistory = false, tracer, onLearned = IGNORE, inspect } = options;
  const { wallTime } = clock;
  const { incompleteFor } = store;
  const machine = createMachine({ ...options.machine, learning: incompleteFor > 0 });
  const { state } = machine;
  const traces = tracer && createLimiterTraces(tracer);
  const delivery = createDelivery<ShownOutcome, ShownNews, StreamNews>(subjectsOf);
  const alarm = createAlarm(clock, settle);
  const survey = createAlarm(clock, surveyMoved);
  const telling = createSlices({ clock, size: TOLD_AT_ONCE, handle: tellMoved });
  const declaring = createDeclaring({
    clock,
    state,
    run: (command, answer) => run(command, answer, IGNORE),
  });
  const watch = createLimiterWatch({ clock, interval: NEWS_INTERVAL, state, settle });
  const history = keepsHistory ? createLimiterHistory({ clock, state, settle }) : undefined;
  let stopLearning = () => {};
  let closed = false;

  function run<C extends Command>(
    command: C,
    answer: (outcome: ShownOutcomeOf<C>) => void,
    fail: (error: EngineUnavailable) => void,
    trace?: TraceContext,
  ): void {
    if (closed) {
      fail(new EngineUnavailable("no"));
      return;
    }
    const now = clock.now();
    if (trace !== undefined) traces?.ask(command, trace, now);
    const step = machine.step(command, now);
    const { outcome, events, changes, wakeAt, precise } = step;
    if (traces?.isFollowing) traces.decided(command, step, now);
    alarm.set(wakeAt, precise);
    inspect?.(state);
    if (state.moved.length > 0) survey.setUnlessSet(now + NEWS_INTERVAL);
    const decided = {
      outcome: showOutcome(state, outcome, wallTime),
      events: events.length > 0 ? events.map(show) : NONE,
      kept: changes.length > 0 ? store.keep(changes) : undefined,
      overtakes: command.kind in OVERTAKES && OVERTAKES[command.kind as Ask["kind"]],
    };
    delivery.deliver(decided, answer as (outcome: ShownOutcome) => void, fail);
  }

  function show({ to, about, news }: MachineEvent): ShownEvent<ShownNews> {
    return { to, about, news: showNews(state, news, wallTime) };
  }

  function takeUp(): void {
    const forgotten = machine.restore(store.found.limiters, clock.now());
    if (forgotten.length > 0) store.keep(forgotten);
    settle();
    if (!state.learning) return;
    stopLearning = clock.schedule(clock.now() + incompleteFor, false, () =>
      run(END_LEARNING, () => onLearned(state), IGNORE),
    );
  }

  /** What is looked at is looked at as of now. */
  function look(): State {
    if (closed) throw new EngineUnavailable("no");
    settle();
    return state;
  }

  function settle(): void {
    run(WAKE, IGNORE, IGNORE);
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
      .map((waiter) => ({ stream: waiter.stream, view: viewWaiter(state, waiter, state.now, wallTime) }));
    delivery.add(() => {
      for (const { stream, view } of moved) {
        if (stream !== undefined) delivery.tell(stream, view.id, { kind: "moved", waiter: view });
      }
    });
  }

  takeUp();
  return {
    submit: <A extends Ask>(
      command: A,
      answer: (answer: AnswerTo<A>) => void,
      fail: (error: EngineUnavailable) => void,
      trace?: TraceContext,
    ) => run(command, answer, fail, trace),
    openStream: (listener) => delivery.openStream(listener),
    closeStream: (stream) => delivery.closeStream(stream),
    async limiter(name, key) {
      look();
      const limiter = state.limiters.get(name);
      return limiter && viewLimiter(state, limiter, wallTime, key);
    },
    async limiters(query) {
      look();
      return pageLimiters(state, query, wallTime);
    },
    async lease(id) {
      look();
      const lease = state.leases.get(id);
      return lease && viewLease(lease, wallTime);
    },
    async leases(query) {
      look();
      return pageLeases(state, query, wallTime);
    },
    async knowsLease(id, caller) {
      look();
      return state.leases.get(id)?.caller === caller || state.pastLeases.get(keyOfCaller(caller, id)) !== undefined;
    },
    async waiters(query) {
      look();
      return state.limiters.has(query.limiter) ? pageWaiters(state, query, wallTime) : undefined;
    },
    async waiter(id) {
      if (closed) throw new EngineUnavailable("no");
      const waiter = state.waiters.get(id);
      return waiter && viewWaiter(state, waiter, Math.max(state.now, clock.now()), wallTime);
    },
    async history(name, from) {
      look();
      const limiter = state.limiters.get(name);
      return limiter && (history?.samples(limiter, from) ?? []);
    },
    // Its owner may have it written down.
    async note() {},
    watch: (listener) => watch.add(listener),
    look,
    declare: declaring.declare,
    declareAtOnce: declaring.declareAtOnce,
    setMaxLimiters(maxLimiters) {
      state.maxLimiters = maxLimiters;
    },
    setCallerBounds(bounds) {
      state.callerBounds = bounds;
    },
    setMaxWaiters(maxWaiters) {
      state.maxWaiters = maxWaiters;
    },
    stopGranting() {
      stopLearning();
      run(STOP_GRANTING, IGNORE, IGNORE);
    },
    async close() {
      if (!closed) traces?.close(clock.now());
      closed = true;
      declaring.close();
      stopLearning();
      alarm.clear();
      survey.clear();
      telling.clear();
      watch.close();
      history?.close();
      delivery.close();
    },
  };
}

const WAKE = { kind: "wake" } as const;
const END_LEARNING = { kind: "end-learning" } as const;
const STOP_GRANTING = { kind: "stop-granting" } as const;
const IGNORE = () => {};
const NONE: readonly never[] = [];

/** By which ids it is known what is granted, renewed or ended. */
function subjectsOf(said: ShownOutcome | ShownNews): readonly string[] {
  switch (said.kind) {
    case "granted":
      return [said.lease.id];
    case "renewed":
    case "ended":
      return [said.leaseId];
    default:
      return NONE;
  }
}
