/** `backpressure board`: cards, and the work on them. */

import { Option } from "commander";
import type { BoardContext, DefineBoardCommand, HandleOnBoard } from "../session/board-context.ts";
import type { DefineCommand } from "../session/context.ts";
import { BOARD_VARIABLE, DEFAULT_BOARD } from "../session/environment.ts";
import { UsageError } from "../session/failure.ts";
import { defineAdd } from "./board/add.ts";
import { defineBlock, defineUnblock } from "./board/block.ts";
import { defineCard } from "./board/card.ts";
import { defineCreate } from "./board/create.ts";
import { defineDelete } from "./board/delete.ts";
import { defineEdit } from "./board/edit.ts";
import { defineFinish } from "./board/finish.ts";
import { defineFlow } from "./board/flow.ts";
import { defineGiveBack } from "./board/give-back.ts";
import { defineList } from "./board/list.ts";
import { definePull } from "./board/pull.ts";
import { defineRemove } from "./board/remove.ts";
import { defineSendBack } from "./board/send-back.ts";
import { defineSet } from "./board/set.ts";
import { defineShow, MOST_CARDS, show } from "./board/show.ts";
import { defineWatch } from "./board/watch.ts";

const COMMANDS: readonly (readonly [name: string, description: string, define: DefineBoardCommand])[] = [
  ["show", "the board, drawn (what `board` alone does)", defineShow],
  ["watch", "the same, kept up to date", defineWatch],
  ["list", "every board, with how work flows over it", defineList],
  ["flow", "how many cards each stage had, over time", defineFlow],
  ["create", "make a board", defineCreate],
  ["set", "change a board's settings and the limits of its stages", defineSet],
  ["delete", "delete a board", defineDelete],
  ["add", "add a card to the first stage", defineAdd],
  ["card", "one card in full", defineCard],
  ["edit", "change a card's words, data or priority", defineEdit],
  ["remove", "delete a card, wherever it stands", defineRemove],
  ["pull", "take a card, or run a command for it", definePull],
  ["finish", "say that the work of a stage is done", defineFinish],
  ["give-back", "leave a card undone, for another worker", defineGiveBack],
  ["send-back", "have the stage upstream do its work again", defineSendBack],
  ["block", "keep a card from being pulled until it is unblocked", defineBlock],
  ["unblock", "let the card be taken again", defineUnblock],
];

const HELP = `
Cards are only ever pulled: no command puts one into a later stage, and no stage takes more than its limit.

Examples:
  backpressure board
  backpressure board add "Fix the login" --priority 5
  backpressure board pull InProgress                       take a card, and finish it later
  backpressure board pull InProgress --loop -- ./build.sh  work on one card after the other
  backpressure board --board release watch`;

export const defineBoard: DefineCommand = (boards, handle) => {
  const handleOnBoard: HandleOnBoard = (work) =>
    handle((context, ...args) => work({ ...context, board: boards.opts<BoardFlags>().board }, ...args));
  for (const [name, description, define] of COMMANDS) {
    define(boards.command(name).description(description), handleOnBoard);
  }
  boards
    .usage("[command] [options]")
    .argument("[command]", "show, if none is named")
    .addOption(
      new Option("--board <name>", "which board")
        .env(BOARD_VARIABLE)
        .argParser((name: string) => name || DEFAULT_BOARD)
        .default(DEFAULT_BOARD),
    )
    .addHelpText("after", HELP)
    .action(
      handleOnBoard(async (context: BoardContext, unknown: string | undefined) => {
        if (unknown === undefined) return show(context, { cards: MOST_CARDS });
        const names = COMMANDS.map(([name]) => name).join(", ");
        throw new UsageError(`unknown command '${unknown}' of board: there are ${names}`);
      }),
    );
};

interface BoardFlags {
  readonly board: string;
}
