/** `backpressure board card`: one card in full. */

import type { Card, CardLease } from "../../../client/api/card.ts";
import { BoardService, GetCardResponseSchema } from "../../../client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { cardFromWire } from "../../../client/wire/card.ts";
import { formatRoughly } from "../../../text/duration.ts";
import { formatInstant } from "../../../text/number.ts";
import type { BoardContext, DefineBoardCommand } from "../../session/board-context.ts";
import { openCalls } from "../../session/connection.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { type Field, formatFields } from "../../text/fields.ts";
import { jsonLine } from "../../text/json-line.ts";

const HELP = `
Examples:
  backpressure board card LOGIN-7
  backpressure --json board card LOGIN-7 | jq -r .card.result`;

export const defineCard: DefineBoardCommand = (command, handle) => {
  command.argument("<card>", "its id").addHelpText("after", HELP).action(handle(get));
};

async function get({ terminal, address, json, board }: BoardContext, cardId: string): Promise<number> {
  using calls = await openCalls(BoardService, address);
  const response = await calls.unary((rpc, options) => rpc.getCard({ board, cardId }, options));
  if (json) terminal.print(jsonLine(GetCardResponseSchema, response));
  else for (const line of cardFields(cardFromWire(response.card))) terminal.print(line);
  return EXIT.ok;
}

/** Returns the lines that show one card in full. */
function cardFields(card: Card): string[] {
  const { lease, addTime, enterTime, completeTime } = card;
  const fields: readonly (readonly [string, string])[] = [
    ["card", card.id],
    ["title", card.title],
    ["stage", card.stage],
    ["state", card.state],
    ["reason", card.reason],
    ["worker", lease === undefined ? "" : workerWords(lease)],
    ["fencing token", lease === undefined ? "" : `${lease.fencingToken}`],
    ["attempt", card.attempt === 0 ? "" : `${card.attempt}`],
    ["priority", `${card.priority}`],
    ["age", formatRoughly(card.ageMs)],
    ["in its stage for", formatRoughly(card.stageAgeMs)],
    ["blocked for", card.blockedTimeMs === 0 ? "" : formatRoughly(card.blockedTimeMs)],
    ["added", instantWords(addTime)],
    ["came in", instantWords(enterTime)],
    ["completed", instantWords(completeTime)],
    ["description", card.description],
    ["data", card.data],
    ["result", card.result],
    ["etag", card.etag],
  ];
  return formatFields(fields.filter((field): field is Field => field[1] !== ""));
}

function workerWords({ worker, live, pullTime, ttlMs }: CardLease): string {
  const name = worker || "unnamed";
  if (!live) return `${name}, ended`;
  const ttl = ttlMs === undefined ? "a person's, for as long as it takes" : `ttl ${formatRoughly(ttlMs)}`;
  return `${name}, since ${instantWords(pullTime)} (${ttl})`;
}

function instantWords(instant: Date | undefined): string {
  return instant === undefined ? "" : formatInstant(instant);
}
