/** The thread that decides: engines of their own for each stage, served over links. */

import { setImmediate as turn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { createSystemClock } from "../../../src/server/clock.ts";
import { carryOver } from "../../../src/server/engine/remote/port-carrier.ts";
import { serveLink } from "../../../src/server/engine/remote/serve-link.ts";
import type { Stage } from "../stage.ts";
import { stageEmbedded } from "./embedded.ts";
import type { Control, NewLink } from "./stage-messages.ts";

const clock = createSystemClock();
/** By its number, each stage as it stands when its last link is lost. */
const stages = new Map<number, Promise<Stage>>();

parentPort?.on("message", (link: NewLink) => void serve(link));

async function serve({ stage: number, link, controls }: NewLink): Promise<void> {
  const before = stages.get(number) ?? stageEmbedded();
  const { promise: lost, resolve } = Promise.withResolvers<Stage>();
  stages.set(number, lost);
  const stage = await before;
  serveLink({
    engines: { limiters: stage.engine, boards: stage.boards },
    carrier: carryOver(link),
    clock,
    onLost: () => resolve(stage),
    onBug(error) {
      throw error;
    },
  });
  controls.on("message", async (control: Control) => {
    // What was said over the link before is carried out by now.
    await turn();
    await direct(stage, control);
    await turn();
    controls.postMessage("done");
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
