/** The engines of the product's own links, in another thread. */

import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { carryOver } from "../../../src/server/engine/remote/port-carrier.ts";
import { createRemoteEngines } from "../../../src/server/engine/remote/remote-engines.ts";
import type { Stage } from "../stage.ts";
import type { Control, NewLink } from "./stage-messages.ts";

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

  function link(stage: number): Stage {
    const engines = new MessageChannel();
    const controls = new MessageChannel();
    const message: NewLink = { stage, link: engines.port2, controls: controls.port2 };
    worker.postMessage(message, [engines.port2, controls.port2]);
    return stageRemote(engines.port1, controls.port1);
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

function stageRemote(link: MessagePort, controls: MessagePort): Stage {
  const { limiters, boards } = createRemoteEngines({ carrier: carryOver(link) });
  let isLost = false;
  link.on("close", () => {
    isLost = true;
  });

  async function control(what: Control): Promise<void> {
    // What was said before leaves before.
    await turn();
    const done = once(controls, "message");
    controls.postMessage(what);
    await done;
    // What was answered meanwhile has been heard by then.
    await turn();
  }

  async function lose(): Promise<void> {
    if (isLost) return;
    const closed = once(link, "close");
    link.close();
    await closed;
  }

  return {
    engine: limiters,
    boards,
    calm: () => control({ kind: "calm" }),
    pass: (micros) => control({ kind: "pass", micros }),
    hold: () => control({ kind: "hold" }),
    letGo: () => control({ kind: "let-go" }),
    lose,
    async [Symbol.asyncDispose]() {
      if (!isLost) await control({ kind: "end" });
      await lose();
      controls.close();
    },
  };
}
