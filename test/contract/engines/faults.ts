/** Engines that break their word, each in one way: the battery must find it. */

import type { Engine, StreamListener, StreamNews } from "../../../src/server/engine/engine.ts";
import type { Stage } from "../stage.ts";
import { stageEmbedded } from "./embedded.ts";

export interface Fault {
  readonly what: string;
  /** The case that finds it. */
  readonly found: string;
  start(): Promise<Stage>;
}

type Submit = Engine["submit"];

/** The embedded engine with another `submit` or `openStream`. */
async function stageWith(change: (engine: Engine) => Partial<Engine>): Promise<Stage> {
  const stage = await stageEmbedded();
  return { ...stage, engine: { ...stage.engine, ...change(stage.engine) } };
}

function hearing(
  engine: Engine,
  passOn: (news: StreamNews, about: string, listener: StreamListener) => void,
): Partial<Engine> {
  return {
    openStream: (listener, fail) => engine.openStream((news, about) => passOn(news, about, listener), fail),
  };
}

export const FAULTS: readonly Fault[] = [
  {
    what: "a grant to a waiter is lost",
    found: "gives a freed permit to the head of the queue, before the next to come is answered",
    start: () =>
      stageWith((engine) =>
        hearing(engine, (news, about, listener) => {
          if (news.kind !== "granted") listener(news, about);
        }),
      ),
  },
  {
    what: "news are said twice",
    found: "grants in the order of arrival, each once",
    start: () =>
      stageWith((engine) =>
        hearing(engine, (news, about, listener) => {
          listener(news, about);
          listener(news, about);
        }),
      ),
  },
  {
    what: "news name another waiter",
    found: "gives a freed permit to the head of the queue, before the next to come is answered",
    start: () => stageWith((engine) => hearing(engine, (news, _, listener) => listener(news, "another"))),
  },
  {
    what: "an answer is given before its change is kept",
    found: "says of nothing that takes capacity before it is kept, and then all of it in order",
    start: () => stageEmbedded({ isAwaited: false }),
  },
  {
    what: "two answers are swapped",
    found: "answers each command with its own answer, in the order in which they were asked",
    start: () =>
      stageWith((engine) => {
        let held: { readonly answer: (answer: never) => void; readonly said: unknown } | undefined;
        const submit: Submit = (command, answer, fail) =>
          engine.submit(
            command,
            (said) => {
              if (command.kind !== "try-acquire") answer(said);
              else if (held === undefined) held = { answer, said };
              else {
                const { answer: before, said: first } = held;
                held = undefined;
                before(said as never);
                answer(first as never);
              }
            },
            fail,
          );
        return { submit };
      }),
  },
  {
    what: "a claim of two limiters is granted by half",
    found: "grants all claims of a request together, or holds nothing of any",
    start: () =>
      stageWith((engine) => ({
        submit: (command, answer, fail) =>
          engine.submit(
            command.kind === "acquire" ? { ...command, claims: command.claims.slice(0, 1) } : command,
            answer,
            fail,
          ),
      })),
  },
  {
    what: "a request id is not remembered",
    found: "answers a retry with the lease of the request before it, which holds its permit once",
    start: () =>
      stageWith((engine) => ({
        submit: (command, answer, fail) =>
          engine.submit(command.kind === "try-acquire" ? { ...command, requestId: "" } : command, answer, fail),
      })),
  },
  {
    what: "a session that is taken up again forgets a lease",
    found: "takes up again all leases of a session at once, and gives its waiters their places",
    start: () =>
      stageWith((engine) => {
        const submit: Submit = (command, answer, fail) =>
          engine.submit(
            command,
            (said) => {
              if (said.kind === "session-resumed") answer({ ...said, leaseIds: said.leaseIds.slice(1) });
              else answer(said);
            },
            fail,
          );
        return { submit };
      }),
  },
  {
    what: "the older stream of a session does not hear that it was displaced",
    found: "says to the older stream of a session that it has lost it, and takes nothing from that stream any more",
    start: () =>
      stageWith((engine) =>
        hearing(engine, (news, about, listener) => {
          if (news.kind !== "displaced") listener(news, about);
        }),
      ),
  },
  {
    what: "a renewal of a session is not passed on",
    found: "renews all that a session holds by one command, each for its own ttl",
    start: () =>
      stageWith((engine) => {
        const submit: Submit = (command, answer, fail) => {
          if (command.kind === "renew-session") answer({ kind: "session-renewed", validFor: 1_000_000 } as never);
          else engine.submit(command, answer, fail);
        };
        return { submit };
      }),
  },
  {
    what: "commands are not failed when the engine is lost",
    found: "fails every command, and rejects every read, from then on",
    start: () => stageWith((engine) => ({ submit: (command, answer) => engine.submit(command, answer, () => {}) })),
  },
];
