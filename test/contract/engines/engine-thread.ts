/** The thread that decides: for each link engines of their own, which hear of a link that is cut as of lost connections. */

import { parentPort } from "node:worker_threads";
import type { BoardAnswerTo, BoardAsk } from "../../../src/server/engine/board-engine.ts";
import type { AnswerTo, Ask, EngineUnavailable } from "../../../src/server/engine/engine.ts";
import type { Stage } from "../stage.ts";
import { stageEmbedded } from "./embedded.ts";
import type { Control, FromThread, Link, Request, ToThread } from "./link.ts";

/** By its number, each stage as it stands when its last link is cut. */
const stages = new Map<number, Promise<Stage>>();

parentPort?.on("message", (link: Link) => void serve(link));

async function serve({ port, stage: number }: Link): Promise<void> {
  const before = stages.get(number) ?? stageEmbedded();
  const { promise: cut, resolve } = Promise.withResolvers<Stage>();
  stages.set(number, cut);
  const stage = await before;
  const limiters = createSide(stage.engine, say, "limiters");
  const boards = createSide(stage.boards, say, "boards");

  port.on("close", () => {
    limiters.lose((id, stream) => ({ kind: "leave", id, stream, how: "lost" }));
    boards.lose((id, stream) => ({ kind: "leave-pull", id, stream, how: "lost", unheard: false }));
    resolve(stage);
  });

  function say(message: FromThread): void {
    port.postMessage(message);
  }

  port.on("message", (message: ToThread) => {
    if (message.kind === "control") {
      void direct(stage, message.control).then(() => say({ kind: "value", id: message.id, value: undefined }));
      return;
    }
    (message.of === "limiters" ? limiters : boards).take(message);
  });
}

async function direct(stage: Stage, control: Control): Promise<void> {
  switch (control.kind) {
    case "calm":
      return stage.calm();
    case "hold":
      return stage.hold();
    case "let-go":
      return stage.letGo();
    case "pass":
      return stage.pass(control.micros);
    case "end":
      return stage[Symbol.asyncDispose]();
  }
}

/** What of a port is used here, whichever of the two it is. */
interface AnyPort {
  submit(command: never, answer: (answer: unknown) => void, fail: (error: EngineUnavailable) => void): void;
  openStream(listener: (news: unknown, about: string) => void, fail: () => void): number;
  closeStream(stream: number): void;
  watch(listener: (changes: unknown) => void, fail: () => void): () => void;
}

function createSide(engine: AnyPort, say: (message: FromThread) => void, of: Request["of"]) {
  /** By the number that the other side has given. */
  const streams = new Map<number, number>();
  /** By waiter, lease or pull, the stream that was answered with it. */
  const subjects = new Map<string, number>();
  const watches = new Map<number, () => void>();
  const reads = engine as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
  const never = () => {};

  function take(request: Request): void {
    switch (request.kind) {
      case "submit": {
        const { id, command } = request;
        const own = withOwnStream(command);
        engine.submit(
          own as never,
          (value) => {
            const subject = subjectOf(value as AnswerTo<Ask> | BoardAnswerTo<BoardAsk>);
            if ("stream" in own && subject !== undefined) subjects.set(subject, own.stream);
            say({ kind: "value", id, value });
          },
          ({ decided }) => say({ kind: "failed", id, decided }),
        );
        return;
      }
      case "read": {
        const { id, method, args } = request;
        reads[method]?.(...args).then(
          (value) => say({ kind: "value", id, value }),
          ({ decided }: EngineUnavailable) => say({ kind: "failed", id, decided }),
        );
        return;
      }
      case "open-stream": {
        const { stream } = request;
        const own = engine.openStream((news, about) => say({ kind: "news", of, stream, about, news }), never);
        streams.set(stream, own);
        return;
      }
      case "close-stream":
        // Its number stays: what it holds is left under it.
        engine.closeStream(streams.get(request.stream) ?? 0);
        return;
      case "watch": {
        const { watch } = request;
        watches.set(
          watch,
          engine.watch((changes) => say({ kind: "changes", of, watch, changes }), never),
        );
        return;
      }
      case "unwatch":
        watches.get(request.watch)?.();
        watches.delete(request.watch);
        return;
    }
  }

  function withOwnStream(command: Ask | BoardAsk): Ask | BoardAsk {
    return "stream" in command ? { ...command, stream: streams.get(command.stream) ?? 0 } : command;
  }

  /** What stood or was held over the link has lost its connection. */
  function lose(leave: (id: string, stream: number) => Ask | BoardAsk): void {
    for (const [id, stream] of subjects) engine.submit(leave(id, stream) as never, never, never);
  }

  return { take, lose };
}

/** The id of what waits or is held. */
function subjectOf(answer: AnswerTo<Ask> | BoardAnswerTo<BoardAsk>): string | undefined {
  switch (answer.kind) {
    case "waiting":
      return answer.waiterId;
    case "granted":
      return answer.lease.id;
    case "pull-waiting":
      return answer.pullId;
    case "pulled":
      return answer.workId;
    default:
      return undefined;
  }
}
