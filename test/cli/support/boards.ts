/** Boards for commands to work on. */

import type { BoardConfig, StageConfig } from "../../../src/client/api/board.ts";
import type { BoardClient } from "../../../src/client/api/board-client.ts";
import type { Card } from "../../../src/client/api/card.ts";
import type { Service } from "./service.ts";

const STAGES: readonly StageConfig[] = [
  { name: "Backlog" },
  { name: "Build", wipLimit: 2 },
  { name: "Review", wipLimit: 2 },
  { name: "Done" },
];

/** Makes a board of Backlog, Build:2, Review:2 and Done. */
export async function makeBoard(
  { client }: Service,
  name: string,
  settings: Partial<BoardConfig> = {},
): Promise<BoardClient> {
  await client.boards.create({ stages: STAGES, ...settings, name });
  return client.board(name);
}

/** Resolves with the card as soon as it is so. */
export async function untilCard(board: BoardClient, id: string, holds: (card: Card) => boolean): Promise<Card> {
  for await (const { cards } of board.watch()) {
    const card = cards.get(id);
    if (card !== undefined && holds(card)) return card;
  }
  throw new Error("the watch has ended");
}

/** Resolves when so many wait for a card of the stage. */
export async function untilPullers(board: BoardClient, stage: string, count: number): Promise<void> {
  for await (const event of board.watch()) {
    if (event.board.stages.some(({ name, status }) => name === stage && status.pullers === count)) return;
  }
}
