/** An engine in another thread: the thinnest that speaks the port's values over a `MessagePort`. */

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { BoardEngine } from "../../../src/server/engine/board-engine.ts";
import { type Engine, EngineUnavailable } from "../../../src/server/engine/engine.ts";
import type { Engines, Stage } from "../stage.ts";
import type { Control, FromThread, Link, Read, Request, Which } from "./link.ts";

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly fail: (error: EngineUnavailable) => void;
}

interface Listener {
  readonly hear: (...args: readonly unknown[]) => void;
  readonly fail: (error: EngineUnavailable) => void;
}

export interface EngineThread extends AsyncDisposable {
  /** Engines of their own beyond a link. */
  stage(): Promise<RemoteStage>;
}

export interface RemoteStage extends Stage {
  /** Another link to the same engines. */
  linkAnew(): Stage;
}

export function startEngineThread(): EngineThread {
  const worker = new Worker(new URL("./engine-thread.ts", import.meta.url));
  let stages = 0;

  function link(number: number): Stage {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ port: port2, stage: number } satisfies Link, [port2]);
    return stageRemote(port1);
  }

  return {
    async stage() {
      stages += 1;
      const number = stages;
      return { ...link(number), linkAnew: () => link(number) };
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

function stageRemote(port: MessagePort): Stage {
  const link = createLink(port);
  const control = async (what: Control) => {
    await link.control(what);
  };
  return {
    ...link.engines,
    calm: () => control({ kind: "calm" }),
    pass: (micros) => control({ kind: "pass", micros }),
    hold: () => control({ kind: "hold" }),
    letGo: () => control({ kind: "let-go" }),
    async lose() {
      link.cut();
    },
    async [Symbol.asyncDispose]() {
      if (!link.isCut) await control({ kind: "end" });
      link.cut();
    },
  };
}

function createLink(port: MessagePort) {
  const pending = new Map<number, Pending>();
  const streams = new Map<string, Listener>();
  const watches = new Map<string, Listener>();
  let last = 0;
  let isCut = false;

  port.on("message", (message: FromThread) => {
    switch (message.kind) {
      case "value":
        take(message.id)?.resolve(message.value);
        return;
      case "failed":
        take(message.id)?.fail(new EngineUnavailable(message.decided));
        return;
      case "news":
        streams.get(`${message.of} ${message.stream}`)?.hear(message.news, message.about);
        return;
      case "changes":
        watches.get(`${message.of} ${message.watch}`)?.hear(message.changes);
        return;
    }
  });

  function take(id: number): Pending | undefined {
    const one = pending.get(id);
    pending.delete(id);
    return one;
  }

  function next(): number {
    last += 1;
    return last;
  }

  function send(request: Request): void {
    if (!isCut) port.postMessage(request);
  }

  /** Sends what is answered. */
  function ask(of: (id: number) => Parameters<typeof port.postMessage>[0], one: Pending): void {
    if (isCut) {
      one.fail(new EngineUnavailable("no"));
      return;
    }
    const id = next();
    pending.set(id, one);
    port.postMessage(of(id));
  }

  function cut(): void {
    if (isCut) return;
    isCut = true;
    port.close();
    const lost = [...pending.values(), ...streams.values(), ...watches.values()];
    for (const all of [pending, streams, watches]) all.clear();
    for (const { fail } of lost) fail(new EngineUnavailable("unknown"));
  }

  /** What both ports have alike. */
  function carry(of: Which) {
    return {
      submit(command: unknown, resolve: (answer: never) => void, fail: Pending["fail"]) {
        ask((id) => ({ of, kind: "submit", id, command }), { resolve: resolve as Pending["resolve"], fail });
      },
      openStream(hear: (news: never, about: string) => void, fail: Pending["fail"]) {
        const stream = next();
        streams.set(`${of} ${stream}`, { hear: hear as Listener["hear"], fail });
        send({ of, kind: "open-stream", stream });
        return stream;
      },
      closeStream(stream: number) {
        streams.delete(`${of} ${stream}`);
        send({ of, kind: "close-stream", stream });
      },
      watch(hear: (changes: never) => void, fail: Pending["fail"]) {
        const watch = next();
        watches.set(`${of} ${watch}`, { hear: hear as Listener["hear"], fail });
        if (isCut) queueMicrotask(() => fail(new EngineUnavailable("no")));
        send({ of, kind: "watch", watch });
        return () => {
          watches.delete(`${of} ${watch}`);
          send({ of, kind: "unwatch", watch });
        };
      },
      async close() {
        cut();
      },
    };
  }

  function reading<E>(of: Which) {
    return <K extends Read<E> & string>(method: K) =>
      ((...args: readonly unknown[]) =>
        new Promise((resolve, fail) =>
          ask((id) => ({ of, kind: "read", id, method, args }), { resolve, fail }),
        )) as E[K];
  }

  const limiter = reading<Engine>("limiters");
  const board = reading<BoardEngine>("boards");
  const engines: Engines = {
    engine: {
      ...carry("limiters"),
      limiter: limiter("limiter"),
      limiters: limiter("limiters"),
      leases: limiter("leases"),
      knowsLease: limiter("knowsLease"),
      waiters: limiter("waiters"),
      waiter: limiter("waiter"),
    },
    boards: {
      ...carry("boards"),
      board: board("board"),
      boards: board("boards"),
      card: board("card"),
      cards: board("cards"),
      flow: board("flow"),
      delta: board("delta"),
      working: board("working"),
      place: board("place"),
    },
  };

  return {
    engines,
    cut,
    get isCut() {
      return isCut;
    },
    control: (what: Control) =>
      new Promise((resolve, fail) => ask((id) => ({ kind: "control", id, control: what }), { resolve, fail })),
  };
}
