/**
 * A process that forgets the work that it holds, collects its garbage, and prints what it was warned of and how its card
 * stands then: `node --expose-gc forgetful-worker.ts host:port board stage worker|person`.
 */

import { connect } from "../../support/connect.ts";

const [address = "", name = "", stage = "", how] = process.argv.slice(2);
const board = connect(address).board(name);
/** Rounds of collecting garbage in which nothing happened that show that nothing will. */
const ROUNDS = 50;
let warning: Error | undefined;
process.once("warning", (error) => {
  warning = error;
});

async function pullAndForget(): Promise<string> {
  const work = how === "person" ? await board.tryPull(stage) : await board.pull(stage);
  return work.granted ? work.card.id : "";
}

const cardId = await pullAndForget();
for (let round = 0; warning === undefined && (how === "worker" || round < ROUNDS); round += 1) {
  globalThis.gc?.();
  await new Promise((resolve) => setImmediate(resolve));
}
// The worker that gets the card knows that it was given back.
if (how === "worker") await (await board.pull(stage)).giveBack();
const { state, attempt } = await board.get(cardId);
process.stdout.write(`${JSON.stringify({ message: warning?.message, state, attempt })}\n`);
process.exit();
