/** The front's side of a link: the two engines' ports, whose engines stand beyond it. */

import type { StreamId } from "../../machine/liveness.ts";
import type { TraceContext } from "../../tracing/trace-context.ts";
import type { BoardEngine } from "../board-engine.ts";
import { type Engine, EngineUnavailable } from "../engine.ts";
import { type Carrier, createChannel } from "./channel.ts";
import { type Engines, type FromFront, type FromOwner, type Of, READS, type Read } from "./messages.ts";

export interface RemoteEnginesOptions {
  readonly carrier: Carrier;
  /** Commands and reads that may wait for their answers; one more fails at once. */
  readonly maxPending?: number;
}

interface Pending {
  readonly of: Of;
  readonly resolve: (value: never) => void;
  readonly fail: (error: EngineUnavailable) => void;
}

interface Listener {
  readonly of: Of;
  readonly hear: (news: never, about: string) => void;
  readonly fail: (error: EngineUnavailable) => void;
}

interface Watcher {
  readonly hear: (changes: never) => void;
  readonly fail: (error: EngineUnavailable) => void;
}

/** Of a front whose owner does not answer; each is a call that waits. */
const MAX_PENDING = 100_000;

export function createRemoteEngines({ carrier, maxPending = MAX_PENDING }: RemoteEnginesOptions): Engines {
  const pending = new Map<number, Pending>();
  const streams = new Map<StreamId, Listener>();
  const watchers: Readonly<Record<Of, Set<Watcher>>> = { limiters: new Set(), boards: new Set() };
  const closed = { limiters: false, boards: false };
  let lastId = 0;
  let lastStream = 0;
  let lost = false;
  const channel = createChannel<FromOwner, FromFront>({ carrier, hear, onLost: lose });

  function hear(message: FromOwner): void {
    switch (message.kind) {
      case "answer":
        take(message.id)?.resolve(message.value as never);
        break;
      case "failed":
        take(message.id)?.fail(new EngineUnavailable(message.decided));
        break;
      case "news":
        streams.get(message.stream)?.hear(message.news as never, message.about);
        break;
      case "limiters-changed":
        tell(watchers.limiters, message.changes);
        break;
      case "boards-changed":
        tell(watchers.boards, new Set(message.boards));
        break;
      case "watch-failed":
        failAll(takeAll(watchers[message.of]), message.decided);
        break;
      case "stream-failed": {
        const listener = streams.get(message.stream);
        streams.delete(message.stream);
        listener?.fail(new EngineUnavailable(message.decided));
        break;
      }
    }
  }

  function take(id: number): Pending | undefined {
    const one = pending.get(id);
    pending.delete(id);
    return one;
  }

  function tell(those: ReadonlySet<Watcher>, changes: unknown): void {
    for (const { hear: passOn } of those) passOn(changes as never);
  }

  /** What was asked may have been decided; streams and watches end. */
  function lose(): void {
    lost = true;
    failAll([...takeAll(pending), ...takeAll(streams), ...takeAll(watchers.limiters), ...takeAll(watchers.boards)]);
  }

  function failAll(those: readonly Pick<Pending, "fail">[], decided: EngineUnavailable["decided"] = "unknown"): void {
    for (const { fail } of those) fail(new EngineUnavailable(decided));
  }

  function ask(one: Pending, toMessage: (id: number) => FromFront): void {
    if (lost || closed[one.of] || pending.size >= maxPending) {
      one.fail(new EngineUnavailable("no"));
      return;
    }
    lastId += 1;
    pending.set(lastId, one);
    channel.say(toMessage(lastId));
  }

  function read<O extends Of>(of: O, method: Read<O> & string) {
    return (...args: readonly unknown[]) =>
      new Promise((resolve, fail) => ask({ of, resolve, fail }, (id) => ({ of, kind: "read", id, method, args })));
  }

  function readsOf<O extends Of>(of: O): Pick<Engines[O], Read<O>> {
    const methods = Object.keys(READS[of]) as (Read<O> & string)[];
    return Object.fromEntries(methods.map((method) => [method, read(of, method)])) as unknown as Pick<
      Engines[O],
      Read<O>
    >;
  }

  /** What both ports have alike. */
  function carry(of: Of): Pick<Engine & BoardEngine, "submit" | "openStream" | "closeStream" | "watch" | "close"> {
    return {
      submit(
        command: Extract<FromFront, { kind: "submit" }>["command"],
        resolve: Pending["resolve"],
        fail: Pending["fail"],
        trace?: TraceContext,
      ) {
        ask({ of, resolve, fail }, (id) =>
          trace === undefined ? { of, kind: "submit", id, command } : { of, kind: "submit", id, command, trace },
        );
      },
      openStream(onNews: Listener["hear"], fail: Pending["fail"]) {
        lastStream += 1;
        const stream = lastStream;
        streams.set(stream, { of, hear: onNews, fail });
        if (lost) queueMicrotask(() => streams.delete(stream) && fail(new EngineUnavailable("no")));
        channel.say({ of, kind: "open-stream", stream });
        return stream;
      },
      closeStream(stream) {
        streams.delete(stream);
        channel.say({ of, kind: "close-stream", stream });
      },
      watch(onChanges: Watcher["hear"], fail: Pending["fail"]) {
        const watcher: Watcher = { hear: onChanges, fail };
        const those = watchers[of];
        those.add(watcher);
        if (lost) queueMicrotask(() => those.delete(watcher) && fail(new EngineUnavailable("no")));
        if (those.size === 1) channel.say({ of, kind: "watch" });
        return () => {
          if (those.delete(watcher) && those.size === 0) channel.say({ of, kind: "unwatch" });
        };
      },
      async close() {
        closed[of] = true;
        for (const [stream, { of: own }] of streams) if (own === of) streams.delete(stream);
        watchers[of].clear();
        const unanswered = [...pending].filter(([, one]) => one.of === of);
        for (const [id] of unanswered) pending.delete(id);
        failAll(unanswered.map(([, one]) => one));
      },
    };
  }

  return {
    limiters: { ...carry("limiters"), ...readsOf("limiters") },
    boards: { ...carry("boards"), ...readsOf("boards") },
  };
}

/** Empties it first: what hears of its end may begin anew at once. */
function takeAll<T>(those: Set<T> | Map<unknown, T>): readonly T[] {
  const all = [...those.values()];
  those.clear();
  return all;
}
