/** A board in the middle of its work: one stage is the bottleneck, one card is blocked, one was sent back. */

import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import type { JumpingClock } from "../../support/jumping-clock.ts";

const { addCard, blockCard, finishCard, sendBackCard, tryPullCard } = BoardService.method;

export const BOARD = `
boards:
  - name: release-2.4
    description: What has to be done before 2.4 goes out
    stages:
      - { name: Backlog }
      - { name: Ready, wip_limit: 5, kind: QUEUE }
      - { name: Build, wip_limit: 3 }
      - { name: Review, wip_limit: 2 }
      - { name: Done }
`;

const TITLES = [
  "Read rates as an amount per period",
  "Keep buckets over a restart",
  "Say why a queue stands",
  "Answer a retry with its lease",
  "Close idle connections",
  "Count what is refused",
  "Name the longest holder",
  "Draw the last hour",
  "Write the migration notes",
  "Measure a cold start",
  "Bound what a reader may owe",
  "Try it behind a proxy",
  "Pull cards in order of age",
  "Check the examples in Java",
  "Release the package",
];

/** µs. */
const MINUTE = 60_000_000;

/** `server` was started with `BOARD`. */
export async function workOnBoard(client: ContractClient, clock: JumpingClock): Promise<void> {
  const board = "release-2.4";
  const pull = async (stage: string, worker: string) => {
    const { result } = await client.call(tryPullCard, { board, stage, worker });
    if (result.case !== "pulled") throw new Error(`nothing was pulled into ${stage}`);
    const { id = "", lease } = result.value.card ?? {};
    return { board, cardId: id, fencingToken: lease?.fencingToken ?? 0n };
  };
  for (const [index, title] of TITLES.entries()) {
    await client.call(addCard, { board, card: { id: `R-${101 + index}`, title, priority: index === 8 ? 10 : 0 } });
  }
  for (let done = 0; done < 4; done++) {
    clock.jump((3 + done * 2) * MINUTE);
    await client.call(finishCard, await pull("Build", "ann"));
    clock.jump(5 * MINUTE);
    await client.call(finishCard, await pull("Review", "ben"));
    await client.call(tryPullCard, { board, stage: "Done", worker: "" }).catch(() => {});
  }
  await client.call(finishCard, await pull("Build", "ann"));
  clock.jump(2 * MINUTE);
  await client.call(sendBackCard, { ...(await pull("Review", "ben")), reason: "lacks a test" });
  await client.call(finishCard, await pull("Build", "cem"));
  await pull("Review", "ben");
  clock.jump(25 * MINUTE);
  await client.call(finishCard, await pull("Build", "ann"));
  await client.call(finishCard, await pull("Build", "dee"));
  await pull("Build", "cem");
  await client.call(blockCard, { board, cardId: "R-112", reason: "no proxy at hand" });
  clock.jump(3 * MINUTE);
}
