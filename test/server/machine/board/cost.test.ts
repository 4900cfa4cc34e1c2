/** What an operation looks at grows with the number of cards and of pullers by no more than a logarithm. */

import { expect, it } from "vitest";
import type { BoardCommand, PullCard } from "../../../../src/server/machine/board/command.ts";
import { createBoardMachine } from "../../../../src/server/machine/board/machine.ts";
import { boardOf, contentOf, queue, work } from "./boards.ts";

const FEW = 20;
const MANY = 2_000;
/** Looks that a few more levels of the heaps may need. */
const SLACK = 20;

/** A board with so many cards in each stage, and so many pullers where there is no card, that counts looks at them. */
function createBoard(size: number) {
  const machine = createBoardMachine();
  const { state } = machine;
  let serial = 0;
  let looks = 0;
  const step = (command: BoardCommand) => machine.step(command, serial);
  const pull = (stage: string, about: Partial<PullCard> = {}) => {
    serial += 1;
    const command = {
      kind: "pull",
      id: `${serial}`,
      board: "b",
      stage,
      worker: "",
      maxWait: 0,
      ttl: undefined,
    } as const;
    step({
      ...command,
      requestId: "",
      stream: serial,
      monitored: true,
      keepOnCancel: false,
      detached: true,
      cardId: undefined,
      session: undefined,
      ...about,
    });
  };
  const finish = (cardId: string) => {
    const token = state.boards.get("b")?.cards.get(cardId)?.work?.token ?? 0;
    step({ kind: "finish", board: "b", cardId, token, words: "", failed: false, session: undefined });
  };
  const stages = [queue("In"), work("Work"), work("Check"), work("Last"), queue("Out")];
  step({ kind: "create-board", config: boardOf({ stages, keepCompleted: size }) });
  for (let index = 0; index < 5 * size; index++) {
    const id = `${index}`;
    step({ kind: "add-card", board: "b", id, content: contentOf({ priority: index % 7 }) });
    for (const stage of ["Work", "Check", "Last"].slice(0, index % 5)) {
      pull(stage, { cardId: id });
      finish(id);
    }
  }
  for (let index = 0; index < size; index++) pull("Last", { maxWait: undefined, cardId: undefined });
  for (const thing of [...state.pullers.values(), ...(state.boards.get("b")?.cards.values() ?? [])]) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(thing))) {
      let current: unknown = value;
      Object.defineProperty(thing, name, {
        get() {
          looks += 1;
          return current;
        },
        set(next: unknown) {
          current = next;
        },
      });
    }
  }
  return {
    step,
    pull,
    finish,
    /** How many looks an act needs. */
    during(act: () => void): number {
      looks = 0;
      act();
      return looks;
    },
    worked: () => [...state.works.values()].at(-1)?.card.id ?? "",
  };
}

const boards = [createBoard(FEW), createBoard(MANY)];

// One after the other, on the same two boards.
it.each<[what: string, act: (board: ReturnType<typeof createBoard>) => void]>([
  ["to add a card", ({ step }) => step({ kind: "add-card", board: "b", id: "new", content: contentOf() })],
  ["to pull", ({ pull }) => pull("Work")],
  ["to finish", ({ finish, worked }) => finish(worked())],
  ["to pull one card of many", ({ pull }) => pull("Work", { cardId: "50" })],
  ["to block it", ({ step }) => step({ kind: "block", board: "b", cardId: "50", token: 0, reason: "" })],
  ["to unblock it", ({ step }) => step({ kind: "unblock", board: "b", cardId: "50" })],
  ["to be turned away", ({ pull }) => pull("Last")],
  ["to wait in vain", ({ pull }) => pull("Last", { maxWait: 1 })],
  [
    "to serve the first of many pullers",
    ({ pull, finish, worked }) => {
      pull("Check");
      finish(worked());
    },
  ],
  ["to delete a card", ({ step }) => step({ kind: "delete-card", board: "b", cardId: "0", revision: undefined })],
  ["to change a card's priority", ({ step }) => step(rise("5"))],
  ["to wake", ({ step }) => step({ kind: "wake" })],
])(
  "%s looks at no more cards and pullers, or at some more by a logarithm, where there are a hundred times as many",
  (_what, act) => {
    const [few = 0, many = 0] = boards.map((board) => board.during(() => act(board)));
    expect(many).toBeLessThanOrEqual(few + SLACK);
  },
);

function rise(cardId: string): BoardCommand {
  return { kind: "update-card", board: "b", cardId, content: { priority: 1_000 }, revision: undefined };
}
