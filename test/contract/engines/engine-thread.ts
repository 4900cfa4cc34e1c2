/** The thread that decides: for each link engines of their own, which hear of a link that is cut as of lost connections. */

import { type MessagePort, parentPort } from "node:worker_threads";
import type { BoardAsk } from "../../../src/server/engine/board-engine.ts";
import type { Ask, EngineUnavailable } from "../../../src/server/engine/engine.ts";
import type { Stage } from "../stage.ts";
import { stageEmbedded } from "./embedded.ts";
import type { Control, FromThread, Request, ToThread } from "./link.ts";

parentPort?.on("message", (port: MessagePort) => void serve(port));

async function serve(port: MessagePort): Promise<void> {
  const stage = await stageEmbedded();
  const limiters = createSide(stage.engine, say, "limiters");
  const boards = createSide(stage.boards, say, "boards");

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
  const watches = new Map<number, () => void>();
  const reads = engine as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
  const never = () => {};

  function take(request: Request): void {
    switch (request.kind) {
      case "submit": {
        const { id, command } = request;
        engine.submit(
          withOwnStream(command) as never,
          (value) => say({ kind: "value", id, value }),
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

  return { take };
}
