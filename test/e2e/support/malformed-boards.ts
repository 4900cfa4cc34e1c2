/** Requests to BoardService that are wrong, and the boards that they are for. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BoardSchema, StageKind } from "../../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { BoardService } from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import type { CardSchema, CardState } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { add, BOARD, finish, take } from "../../support/board.ts";
import { Code } from "../../support/call-failure.ts";
import type { ContractClient } from "../../support/contract-client.ts";
import {
  type Answer,
  DAY_AND_MORE,
  invalid,
  type MalformedRequest,
  MEGABYTE,
  MILLISECOND,
  malformed,
  notFound,
  PAST,
} from "./malformed-request.ts";

const { createBoard, getBoard, listBoards, updateBoard, deleteBoard, watchBoard, getFlow } = BoardService.method;
const { addCard, getCard, updateCard, listCards, deleteCard } = BoardService.method;
const { pullCard, tryPullCard, renewCards } = BoardService.method;
const { finishCard, giveBackCard, sendBackCard, blockCard, unblockCard } = BoardService.method;

export const BOARDS = `
boards:
  - name: release
  - name: full
    max_cards: 1
    max_pullers: 0
    stages: [{ name: In, wip_limit: 1 }, { name: Work }, { name: Out }]`;

/** `held` is worked on in Review, `done` is completed, `ready` waits; on `full` is all that may be there. */
export async function occupyBoards(client: ContractClient): Promise<void> {
  await add(client, { id: "done", title: "Done" }, "held", "ready");
  for (const stage of ["InProgress", "Review"]) await finish(client, await take(client, stage));
  await finish(client, await take(client, "InProgress"));
  await take(client, { stage: "Review", worker: "ann", ttl: { seconds: 3_600n } });
  await client.call(addCard, { board: "full", card: { id: "only" } });
}

type BoardInit = MessageInitShape<typeof BoardSchema>;
type CardInit = MessageInitShape<typeof CardSchema>;

const NO_BOARD = notFound("BOARD_NOT_FOUND");
const NO_CARD = notFound("CARD_NOT_FOUND");
const NO_STAGE = notFound("STAGE_NOT_FOUND");
const STALE: Answer = { code: Code.Aborted, reason: "STALE_FENCING_TOKEN" };
const STATE: Answer = { code: Code.FailedPrecondition, reason: "CARD_STATE" };
const MISMATCH: Answer = { code: Code.Aborted, reason: "ETAG_MISMATCH" };
const STAGES = [{ name: "In" }, { name: "Work" }, { name: "Out" }];
const REVIEW = { board: BOARD, stage: "Review" };
const HELD = { board: BOARD, cardId: "held" };

function never(reason: string): Answer {
  return { code: Code.FailedPrecondition, reason };
}

function notNow(reason: string): Answer {
  return { code: Code.ResourceExhausted, reason, retryDelay: 1000 };
}

function exists(resourceType: string): Answer {
  return { code: Code.AlreadyExists, reason: `${resourceType.toUpperCase()}_EXISTS`, resourceType };
}

/** What is wrong with a board, whether it is made so or becomes so. */
const BAD_BOARDS: readonly (readonly [name: string, board: BoardInit, ...fields: string[]])[] = [
  ["a description of 1 MB", { description: MEGABYTE }, "description"],
  ["one stage", { stages: [{ name: "In" }] }, "stages"],
  ["10,000 stages", { stages: Array.from({ length: 10_000 }, (_, i) => ({ name: `s${i}` })) }, "stages"],
  ["a stage without a name", { stages: [{}, ...STAGES] }, "stages[0].name"],
  ["a stage's name of 1 MB", { stages: [{ name: MEGABYTE }, ...STAGES] }, "stages[0].name"],
  ["a stage's name that ends with a space", { stages: [{ name: "In " }, ...STAGES] }, "stages[0].name"],
  ["a name twice", { stages: [...STAGES, { name: "Work" }] }, "stages[3].name"],
  ["a limit of 0", { stages: [...STAGES, { name: "End", wipLimit: 0 }] }, "stages[3].wip_limit"],
  ["a limit beyond what may be", { stages: [...STAGES, { name: "End", wipLimit: 100_001 }] }, "stages[3].wip_limit"],
  [
    "a limit that completed cards fill",
    { stages: [...STAGES, { name: "End", wipLimit: 1_000 }] },
    "stages[3].wip_limit",
  ],
  [
    "two stages that were one",
    {
      stages: [
        { name: "In", renamedFrom: "A" },
        { name: "Work", renamedFrom: "B" },
        { name: "Out", renamedFrom: "A" },
      ],
    },
    "stages[2].renamed_from",
  ],
  ["an unknown kind", { stages: [...STAGES, { name: "End", kind: 9 as StageKind }] }, "stages[3].kind"],
  ["work at an end", { stages: [{ name: "In", kind: StageKind.WORK }, { name: "Out" }] }, "stages[0].kind"],
  ["auto_pull of the first", { stages: [{ name: "In", autoPull: true }, { name: "Out" }] }, "stages[0].auto_pull"],
  [
    "auto_pull of work",
    { stages: [{ name: "In" }, { name: "W", autoPull: false }, { name: "Out" }] },
    "stages[1].auto_pull",
  ],
  ["a limiter for a queue", { stages: [{ name: "In" }, { name: "Out", limiter: "gpu" }] }, "stages[1].limiter"],
  ["no attempts", { maxAttempts: 0 }, "max_attempts"],
  ["no cards", { maxCards: 0 }, "max_cards"],
  ["too many cards", { maxCards: 1_000_001 }, "max_cards"],
  ["too many completed", { keepCompleted: 1_000_001 }, "keep_completed"],
  ["kept for no time", { keepCompletedFor: {} }, "keep_completed_for"],
  ["too many pullers", { maxPullers: 100_001 }, "max_pullers"],
  ["a ttl of 1 ms", { ttl: MILLISECOND }, "ttl"],
  ["a ttl of a day and more", { ttl: DAY_AND_MORE }, "ttl"],
];

const BOARD_REQUESTS: readonly MalformedRequest[] = [
  malformed("nothing", createBoard, {}, invalid("board")),
  malformed("no name", createBoard, { board: {} }, invalid("board.name")),
  malformed("a name with a space", createBoard, { board: { name: "a b" } }, invalid("board.name")),
  malformed("a name of 1 MB", createBoard, { board: { name: MEGABYTE } }, invalid("board.name")),
  malformed("a name that is taken", createBoard, { board: { name: BOARD, maxCards: 7 } }, exists("board")),
  ...BAD_BOARDS.flatMap(([name, board, ...fields]) => {
    const answer = invalid(...fields.map((field) => `board.${field}`));
    return [
      malformed(name, createBoard, { board: { name: "new", ...board } }, answer),
      malformed(name, updateBoard, { board: { name: BOARD, ...board } }, answer),
    ];
  }),
  malformed("no name", getBoard, {}, invalid("name")),
  malformed("one that is not there", getBoard, { name: "nowhere" }, NO_BOARD),
  malformed("a name that no board can have", getBoard, { name: "\0\u{1f600}\r\n%" }, NO_BOARD),
  malformed("a page of a thousand and more", listBoards, { pageSize: 1001 }, invalid("page_size")),
  malformed("a page that is none", listBoards, { pageToken: "garbage" }, invalid("page_token")),
  malformed("a page token of 1 MB", listBoards, { pageToken: MEGABYTE }, invalid("page_token")),
  malformed("nothing", updateBoard, {}, invalid("")),
  malformed("one that is not there", updateBoard, { board: { name: "nowhere", maxCards: 7 } }, NO_BOARD),
  malformed(
    "an unknown field",
    updateBoard,
    { board: { name: BOARD }, updateMask: { paths: ["max_cards", "columns"] } },
    invalid("update_mask.paths[1]"),
  ),
  malformed(
    "fields for output",
    updateBoard,
    { board: { name: BOARD }, updateMask: { paths: ["status", "declared"] } },
    invalid("update_mask.paths[0]", "update_mask.paths[1]"),
  ),
  malformed(
    "a path into a stage",
    updateBoard,
    { board: { name: BOARD }, updateMask: { paths: ["stages.wip_limit"] } },
    invalid("update_mask.paths[0]"),
  ),
  malformed("a stale etag", updateBoard, { board: { name: BOARD, etag: "77", maxCards: 7 } }, MISMATCH),
  malformed(
    "a stage that holds a card",
    updateBoard,
    { board: { name: BOARD, stages: STAGES } },
    never("STAGE_NOT_EMPTY"),
  ),
  malformed("no name", deleteBoard, {}, invalid("name")),
  malformed("one that is declared", deleteBoard, { name: BOARD, force: true }, never("DECLARED")),
  malformed("one that is not there", deleteBoard, { name: "nowhere" }, NO_BOARD),
  malformed("no name", watchBoard, {}, invalid("name")),
  malformed("one that is not there", watchBoard, { name: "nowhere", afterSequence: 1n }, NO_BOARD),
  malformed("no name", getFlow, {}, invalid("name")),
  malformed("one that is not there", getFlow, { name: "nowhere" }, NO_BOARD),
];

/** What is wrong with what a card says. */
const BAD_CARDS: readonly (readonly [name: string, card: CardInit, ...fields: string[]])[] = [
  ["a title of 1 MB", { title: MEGABYTE }, "title"],
  ["a title of 513 bytes", { title: `${"é".repeat(256)}x` }, "title"],
  ["a description of 16 KiB and more", { description: "x".repeat(16_385) }, "description"],
  ["data of 64 KiB and more", { data: "x".repeat(65_537) }, "data"],
  ["a priority too high", { priority: 1_001 }, "priority"],
  ["a priority too low", { priority: -1_001 }, "priority"],
  ["several things at once", { title: MEGABYTE.slice(0, 600), priority: 5_000 }, "title", "priority"],
];

const CARD_REQUESTS: readonly MalformedRequest[] = [
  malformed("nothing", addCard, {}, invalid("board", "card")),
  malformed("no board", addCard, { card: { id: "new" } }, invalid("board")),
  malformed("a board that is not there", addCard, { board: "nowhere", card: { id: "new" } }, NO_BOARD),
  ...["a b", "-a", ".", "a\n", "é", "a".repeat(129), MEGABYTE].map((id) =>
    malformed(`the id ${JSON.stringify(id.slice(0, 20))}`, addCard, { board: BOARD, card: { id } }, invalid("card.id")),
  ),
  malformed("an id that is taken", addCard, { board: BOARD, card: { id: "done", title: "Other" } }, exists("card")),
  malformed("one more than may be", addCard, { board: "full", card: { id: "new" } }, notNow("BOARD_FULL")),
  ...BAD_CARDS.flatMap(([name, card, ...fields]) => {
    const answer = invalid(...fields.map((field) => `card.${field}`));
    return [
      malformed(name, addCard, { board: BOARD, card }, answer),
      malformed(name, updateCard, { board: BOARD, card: { id: "held", ...card } }, answer),
    ];
  }),
  malformed("nothing", getCard, {}, invalid("board", "card_id")),
  malformed("one that is not there", getCard, { board: BOARD, cardId: "x" }, NO_CARD),
  malformed("a board that is not there", getCard, { board: "nowhere", cardId: "held" }, NO_BOARD),
  malformed("an id of 1 MB", getCard, { board: BOARD, cardId: MEGABYTE }, invalid("card_id")),
  malformed("nothing", updateCard, {}, invalid("board", "card")),
  malformed("one without an id", updateCard, { board: BOARD, card: { title: "New" } }, NO_CARD),
  malformed("one that is not there", updateCard, { board: BOARD, card: { id: "x", title: "New" } }, NO_CARD),
  malformed("a stale etag", updateCard, { board: BOARD, card: { id: "held", title: "New", etag: "1" } }, MISMATCH),
  malformed(
    "its stage",
    updateCard,
    { board: BOARD, card: { id: "held", stage: "Done" }, updateMask: { paths: ["title", "stage"] } },
    invalid("update_mask.paths[1]"),
  ),
  malformed("nothing", listCards, {}, invalid("board")),
  malformed("a board that is not there", listCards, { board: "nowhere" }, NO_BOARD),
  malformed("a page of a thousand and more", listCards, { board: BOARD, pageSize: 1001 }, invalid("page_size")),
  malformed("a page that is none", listCards, { board: BOARD, pageToken: "MS4x=" }, invalid("page_token")),
  malformed("an unknown state", listCards, { board: BOARD, states: [99 as CardState] }, invalid("states[0]")),
  malformed("too many states", listCards, { board: BOARD, states: [1, 2, 3, 4, 5, 6, 1] }, invalid("states")),
  malformed("nothing", deleteCard, {}, invalid("board", "card_id")),
  malformed("one that is not there", deleteCard, { board: BOARD, cardId: "x" }, NO_CARD),
  malformed("a stale etag", deleteCard, { ...HELD, etag: "77" }, MISMATCH),
];

/** What is wrong with a pull, whether it waits or not. */
const BAD_PULLS: readonly (readonly [
  name: string,
  pull: { board?: string; stage?: string; worker?: string; ttl?: { nanos: number }; requestId?: string },
  answer: Answer,
])[] = [
  ["nothing", {}, invalid("board", "stage")],
  ["a board that is not there", { board: "nowhere", stage: "InProgress" }, NO_BOARD],
  ["a stage that is not there", { board: BOARD, stage: "inprogress" }, NO_STAGE],
  ["the first stage", { board: BOARD, stage: "Backlog" }, never("FIRST_STAGE")],
  ["a worker of 257 bytes", { ...REVIEW, worker: "x".repeat(257) }, invalid("worker")],
  ["a ttl of 1 ms", { ...REVIEW, ttl: MILLISECOND }, invalid("ttl")],
  ["a short request_id", { ...REVIEW, requestId: "short" }, invalid("request_id")],
];

const REQUEST_ID = "0123456789abcdef";

/** What is wrong with the end of work, however it ends. */
const BAD_ENDS: readonly (readonly [
  name: string,
  end: { board?: string; cardId?: string; fencingToken?: bigint },
  answer: Answer,
])[] = [
  ["a board that is not there", { board: "nowhere", cardId: "held" }, NO_BOARD],
  ["a card that is not there", { board: BOARD, cardId: "x" }, NO_CARD],
  ["another token", { ...HELD, fencingToken: 1n }, STALE],
  ["no token for a worker's card", HELD, STALE],
  ["a card without work", { board: BOARD, cardId: "ready" }, STALE],
  ["a card that is completed", { board: BOARD, cardId: "done" }, STALE],
];

const WORK_REQUESTS: readonly MalformedRequest[] = [
  ...BAD_PULLS.flatMap(([name, pull, answer]) => [
    malformed(name, pullCard, pull, answer),
    malformed(name, tryPullCard, pull, answer),
  ]),
  malformed("a ttl of zero", tryPullCard, { ...REVIEW, ttl: {} }, invalid("ttl")),
  malformed("a card that is not there", tryPullCard, { ...REVIEW, cardId: "x" }, NO_CARD),
  malformed("a max_wait in the past", pullCard, { ...REVIEW, maxWait: PAST }, invalid("max_wait")),
  malformed("a max_wait of a day and more", pullCard, { ...REVIEW, maxWait: DAY_AND_MORE }, invalid("max_wait")),
  malformed("no room in the queue", pullCard, { board: "full", stage: "Out" }, notNow("QUEUE_FULL")),
  malformed("nothing to resume", pullCard, { ...REVIEW, resume: {} }, invalid("resume.card_id")),
  malformed("work that is over", pullCard, { ...REVIEW, resume: { cardId: "held", fencingToken: 1n } }, STALE),
  malformed("work on no card", pullCard, { ...REVIEW, resume: { cardId: "x", fencingToken: 1n } }, NO_CARD),
  malformed("nothing", renewCards, {}, invalid("board", "cards")),
  malformed("a board that is not there", renewCards, { board: "nowhere", cards: [{ cardId: "held" }] }, NO_BOARD),
  malformed("too many", renewCards, { board: BOARD, cards: Array(1001).fill({ cardId: "held" }) }, invalid("cards")),
  malformed("an empty one", renewCards, { board: BOARD, cards: [{}] }, invalid("cards[0].card_id")),
  ...BAD_ENDS.flatMap(([name, end, answer]) => [
    malformed(name, finishCard, end, answer),
    malformed(name, giveBackCard, end, answer),
    malformed(name, sendBackCard, end, answer),
  ]),
  malformed("nothing", finishCard, {}, invalid("board", "card_id")),
  malformed("nothing", sendBackCard, {}, invalid("board", "card_id")),
  malformed("nothing", giveBackCard, {}, invalid("board", "")),
  malformed("a card and a request", giveBackCard, { ...HELD, requestId: REQUEST_ID }, invalid("")),
  malformed("a short request_id", giveBackCard, { board: BOARD, requestId: "short" }, invalid("request_id")),
  malformed(
    "an attempt that failed, of a request",
    giveBackCard,
    { board: BOARD, requestId: REQUEST_ID, failed: true },
    invalid("failed"),
  ),
  malformed(
    "a request to a board that is not there",
    giveBackCard,
    { board: "nowhere", requestId: REQUEST_ID },
    NO_BOARD,
  ),
  malformed("a result of 1 MB", finishCard, { ...HELD, result: MEGABYTE }, invalid("result")),
  malformed("a reason of 1 MB", giveBackCard, { ...HELD, reason: MEGABYTE }, invalid("reason")),
  malformed("a reason of 1 MB", sendBackCard, { ...HELD, reason: MEGABYTE }, invalid("reason")),
  malformed("nothing", blockCard, {}, invalid("board", "card_id")),
  malformed("a reason of 1 MB", blockCard, { ...HELD, reason: MEGABYTE }, invalid("reason")),
  malformed("another token", blockCard, { ...HELD, fencingToken: 1n }, STALE),
  malformed("a card that is completed", blockCard, { board: BOARD, cardId: "done" }, STATE),
  malformed("a card that is not there", blockCard, { board: BOARD, cardId: "x" }, NO_CARD),
  malformed("nothing", unblockCard, {}, invalid("board", "card_id")),
  malformed("a card that is not blocked", unblockCard, HELD, STATE),
];

export const MALFORMED_BOARDS: readonly MalformedRequest[] = [...BOARD_REQUESTS, ...CARD_REQUESTS, ...WORK_REQUESTS];
