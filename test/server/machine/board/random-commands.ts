/** Random commands against a few small boards, aimed at what there is: one number makes one command. */

import type { BoardCommand, EndWork, PullCard } from "../../../../src/server/machine/board/command.ts";
import type { BoardConfig, StageConfig } from "../../../../src/server/machine/board/model.ts";
import { MILLISECOND, MINUTE, SECOND } from "../builders.ts";
import { createDice, type Dice } from "../dice.ts";
import { isIn, streamOf } from "../model-sessions.ts";
import { createRandomSessions } from "../random-sessions.ts";
import { boardOf, contentOf, DAY, FIVE, HOUR, queue, work } from "./boards.ts";
import type { FakeLimiter } from "./fake-limiter.ts";
import type { BoardModel } from "./model.ts";
import { type ModelBoard, STALE } from "./model-words.ts";

export interface RandomCommands {
  /** The command that a number stands for, and how many µs after the last it comes; `wakeAt` as the machine said it. */
  next(seed: number, wakeAt: number): { readonly command: BoardCommand; readonly wait: number };
}

export interface RandomCommandsOptions {
  /** Says what there is to aim at. */
  readonly model: BoardModel;
  readonly limiter: FakeLimiter;
  readonly mix: keyof typeof MIXES;
  /** Whether the last stage may have a limit. */
  readonly limitedEnds: boolean;
}

type Sort =
  | "add"
  | "pull"
  | "finish"
  | "give-back"
  | "send-back"
  | "leave"
  | "withdraw"
  | "abandon"
  | "resume"
  | "renew"
  | "block"
  | "unblock"
  | "delete-card"
  | "update-card"
  | "update-board"
  | "delete-board"
  | "declare"
  | "answer"
  | "lose"
  | "session"
  | "wake";

interface Mix {
  /** Of a thousand commands, how many are of each sort; the rest are wakes. */
  readonly shares: readonly (readonly [Sort, number])[];
  /** Of a hundred commands, how many come at the instant of the one before, whatever has time to pass. */
  readonly atOnce: number;
  /** Of a hundred pulls, how many come in a session, if one is open. */
  readonly inSession: number;
}

const CALLERS = [undefined, undefined, undefined, "token:ci", "k8s:app"];
/** What a command brings of its own. */
const BOUNDS = { maxWaiters: 1, maxLeases: 2 };

/** What random commands are most about. */
export const MIXES = {
  /** All that can be done is done. */
  mixed: {
    shares: [
      ["add", 135],
      ["pull", 235],
      ["finish", 95],
      ["give-back", 40],
      ["send-back", 70],
      ["leave", 55],
      ["withdraw", 15],
      ["abandon", 15],
      ["resume", 15],
      ["renew", 20],
      ["block", 25],
      ["unblock", 30],
      ["delete-card", 20],
      ["update-card", 15],
      ["answer", 90],
      ["lose", 45],
      ["update-board", 40],
      ["delete-board", 7],
      ["declare", 8],
      ["session", 25],
    ],
    atOnce: 0,
    inSession: 30,
  },
  /** Boards are full, much is sent back, and time hardly passes. */
  crowded: {
    shares: [
      ["add", 205],
      ["pull", 310],
      ["finish", 190],
      ["give-back", 30],
      ["send-back", 90],
      ["leave", 20],
      ["withdraw", 10],
      ["abandon", 10],
      ["block", 8],
      ["unblock", 10],
      ["answer", 80],
      ["lose", 10],
      ["update-board", 15],
      ["session", 10],
    ],
    atOnce: 95,
    inSession: 30,
  },
  /** A session or two have much work, and come and go. */
  sessions: {
    shares: [
      ["add", 220],
      ["pull", 340],
      ["finish", 40],
      ["give-back", 20],
      ["send-back", 20],
      ["leave", 20],
      ["withdraw", 10],
      ["abandon", 10],
      ["resume", 15],
      ["renew", 40],
      ["block", 5],
      ["unblock", 10],
      ["answer", 80],
      ["lose", 10],
      ["session", 120],
    ],
    atOnce: 50,
    inSession: 85,
  },
} satisfies Record<string, Mix>;

const NAMES = ["limited", "five", "short", "queues"];
const CARD_IDS = Array.from({ length: 24 }, (_, index) => `card-${index}`);
const WORKERS = ["ann", "bob"];

export function createRandomCommands({ model, limiter, mix, limitedEnds }: RandomCommandsOptions): RandomCommands {
  const { shares, atOnce, inSession }: Mix = MIXES[mix];
  let now = 0;
  let serial = 0;
  const asked: PullCard[] = [];
  const gone: string[] = ["unknown"];
  /** By board: what its last declaration said. */
  const renamesSaid = new Map<string, ReadonlyMap<string, string>>();
  const sessions = createRandomSessions({
    sessions: () => model.sessions,
    next: () => ++serial,
    callers: CALLERS,
    most: 2,
    callerFor,
  });

  /** Of stages that are there, none renamed twice, from one stage each, and in no circle. */
  function stillSaid(stages: readonly StageConfig[], renames: readonly (readonly [string, string])[]) {
    const said = new Map<string, string>();
    for (const [name, before] of renames) {
      const isFree = !said.has(name) && said.get(before) !== name && ![...said.values()].includes(before);
      if (isFree && stages.some((stage) => stage.name === name)) said.set(name, before);
    }
    return said;
  }

  function boardFor(dice: Dice): ModelBoard | undefined {
    return model.boards.size === 0 ? undefined : dice.pick([...model.boards.values()]);
  }

  /** Most often a card that is there, of those that `are` something. */
  function cardFor(dice: Dice, are: (card: SomeCard) => boolean): { board: string; cardId: string } {
    const fit = model.cards.filter(are);
    if (fit.length > 0 && dice.chance(92)) {
      return placeOf(dice.pick(fit));
    }
    return { board: dice.chance(10) ? "nothing" : dice.pick(NAMES), cardId: dice.pick(CARD_IDS) };
  }

  function tokenOf({ board, cardId }: { board: string; cardId: string }, dice: Dice): number {
    const card = model.boards.get(board)?.cards.find(({ id }) => id === cardId);
    const token = card?.work?.token ?? card?.lastWork?.token ?? 0;
    return dice.chance(88) ? token : dice.pick([0, token - 1, card?.lastWork?.token ?? 0]);
  }

  /** Most often the caller whose it is, sometimes another. */
  function callerFor(known: string | undefined, dice: Dice): string | undefined {
    return known !== undefined && dice.chance(92) ? known : dice.pick(CALLERS);
  }

  function callerAt({ board, cardId }: { board: string; cardId: string }, dice: Dice): string | undefined {
    const card = model.boards.get(board)?.cards.find(({ id }) => id === cardId);
    return callerFor((card?.work ?? card?.lastWork)?.caller, dice);
  }

  function pull(dice: Dice): PullCard {
    serial += 1;
    const retried = dice.chance(15) && asked.length > 0 ? dice.pick(asked.slice(-10)) : undefined;
    const board = boardFor(dice);
    const stages = board?.config.stages ?? FIVE;
    const index = dice.chance(4) ? 0 : 1 + dice.roll(stages.length - 1);
    const stage = dice.chance(2) ? "nowhere" : (stages[index]?.name ?? "");
    const session = dice.chance(inSession) ? sessions.ref(dice) : undefined;
    const known = sessions.find(session);
    const detached = session === undefined && dice.chance(20);
    const waits = [undefined, undefined, undefined, 0, 0, 0, 1, 5 * MILLISECOND, SECOND];
    const maxWait = detached ? 0 : dice.pick(waits);
    const ttl = dice.pick([undefined, undefined, 100 * MILLISECOND, SECOND, 20 * SECOND]);
    const fresh: PullCard = {
      kind: "pull",
      id: `${serial}`,
      board: board === undefined || dice.chance(1) ? "nothing" : board.config.name,
      stage,
      worker: dice.pick(WORKERS),
      maxWait,
      ttl: !detached && dice.chance(10) ? 0 : ttl,
      requestId: dice.chance(45) ? `request-${serial}` : "",
      stream: session?.stream ?? serial,
      monitored: known?.monitored ?? dice.chance(85),
      keepOnCancel: dice.chance(40),
      detached,
      cardId: maxWait === 0 && dice.chance(25) ? cardFor(dice, (card) => card.board === board).cardId : undefined,
      session,
      caller: callerFor(known?.caller, dice),
      bounds: dice.chance(15) ? BOUNDS : undefined,
    };
    const { id, stream, monitored } = fresh;
    const alone = session === undefined && (dice.chance(90) ? retried?.detached : detached) === true;
    const again = retried && {
      ...retried,
      id,
      stream,
      monitored,
      session,
      detached: alone,
      // What is to have no stream does not wait, and is never asked for until its stream ends.
      ttl: alone ? retried.ttl || ttl : retried.ttl,
      caller: callerFor(known?.caller ?? retried.caller, dice),
      maxWait: alone ? 0 : dice.chance(80) ? retried.maxWait : maxWait,
    };
    const command = again && dice.chance(90) ? again : { ...fresh, requestId: again?.requestId ?? fresh.requestId };
    if (command.requestId !== "") asked.push(command);
    gone.push(id);
    return command;
  }

  function leave(dice: Dice): BoardCommand {
    const working = model.works.flatMap(({ work }) => {
      const stream = streamOf(work);
      // Nothing of a session is left by itself, but for what waits.
      return stream === undefined || (work.attachment.kind === "in-session" && dice.chance(80))
        ? []
        : [{ id: work.id, stream }];
    });
    const waiting = model.pullers.flatMap(({ id, stream }) => (stream === undefined ? [] : [{ id, stream }]));
    const all = [...waiting, ...working];
    const { id, stream } = all.length === 0 ? { id: dice.pick(gone), stream: 0 } : dice.pick(all);
    const how = dice.pick(["cancelled", "lost", "lost"] as const);
    // A stream that was displaced may end late, and must not take what is no longer its own.
    return { kind: "leave-pull", id, stream: dice.chance(95) ? stream : stream - 1, how, unheard: dice.chance(20) };
  }

  function ofSession(dice: Dice): BoardCommand {
    const command = sessions.command(dice);
    if (command.kind !== "leave-session") return command;
    const unheard = model.works.flatMap(({ work: { id } }) => (dice.chance(20) ? [id] : []));
    return { ...command, unheard };
  }

  /** Mostly from no session, or from that of its worker. */
  function end(kind: EndWork["kind"], dice: Dice): EndWork {
    const session = dice.chance(30) ? sessions.ref(dice) : undefined;
    const known = sessions.find(session);
    const own = known === undefined ? [] : model.works.filter(({ work }) => isIn(known, work));
    const at = own.length > 0 && dice.chance(90) ? placeOf(dice.pick(own).card) : cardFor(dice, isActive);
    return {
      kind,
      ...at,
      token: tokenOf(at, dice),
      words: dice.pick(["", "words"]),
      failed: dice.chance(50),
      session,
      caller: known === undefined ? callerAt(at, dice) : callerFor(known.caller, dice),
    };
  }

  function update(dice: Dice): BoardCommand {
    const board = boardFor(dice);
    const revision = dice.chance(85) ? undefined : (board?.revision ?? 1) - dice.roll(2);
    if (board === undefined || dice.chance(4))
      return { kind: "create-board", config: configOf(dice.pick(NAMES), dice) };
    const { stages, renamed } = changedStages(board.config.stages, dice);
    const about = dice.chance(70) ? {} : aboutOf(dice);
    return { kind: "update-board", config: { ...board.config, ...about, stages }, renamed: [...renamed], revision };
  }

  /** Other limits, most often; or a stage more, fewer, elsewhere, with another name, or of another kind. */
  function changedStages(stages: readonly StageConfig[], dice: Dice) {
    const next = [...stages];
    const renamed = new Map<string, string>();
    const index = dice.roll(next.length);
    const inner = 1 + dice.roll(Math.max(1, next.length - 2));
    const stage = next[index] as StageConfig;
    const innerStage = next[inner] as StageConfig;
    const name = `stage ${dice.roll(4)}`;
    const taken = next.some((other) => other.name === name);
    const last = next.length - 1;
    switch (dice.roll(10)) {
      case 0:
        if (next.length < 6 && !taken) next.splice(inner, 0, dice.chance(50) ? queue(name, 2) : work(name, 2));
        break;
      case 1:
        if (next.length > 3) next.splice(dice.chance(70) ? inner : index, 1);
        break;
      case 2:
        if (taken) break;
        renamed.set(name, stage.name);
        next[index] = { ...stage, name };
        break;
      case 3:
        if (next.length > 3) next.splice(1 + dice.roll(next.length - 2), 0, ...next.splice(inner, 1));
        break;
      case 4:
        if (inner < last)
          next[inner] = { ...innerStage, kind: dice.pick(["queue", "work"]), autoPull: dice.chance(50) };
        break;
      case 5:
        if (innerStage.kind === "work") next[inner] = { ...innerStage, limiter: dice.pick(["", "l", "m"]) };
        break;
      default:
        next[index] = { ...stage, wipLimit: dice.pick([undefined, 1, 1, 2, 2, 3, 5]) };
    }
    // The ends are queues, whatever stood there before.
    for (const end of [0, next.length - 1]) next[end] = { ...(next[end] as StageConfig), kind: "queue", limiter: "" };
    if (!limitedEnds) next[next.length - 1] = { ...(next.at(-1) as StageConfig), wipLimit: undefined };
    return { stages: next, renamed };
  }

  function commandOf(dice: Dice): BoardCommand {
    const missing = NAMES.filter((name) => !model.boards.has(name));
    if (missing.length > NAMES.length - 2) return { kind: "create-board", config: configOf(dice.pick(missing), dice) };
    const sort = sortOf(dice, shares);
    switch (sort) {
      case "add": {
        const id = dice.pick(CARD_IDS);
        const content = contentOf({ title: dice.pick(["", "", "x"]), priority: dice.pick([0, 0, 0, 1, -1, 1_000]) });
        return { kind: "add-card", board: boardFor(dice)?.config.name ?? "nothing", id, content };
      }
      case "pull":
        return pull(dice);
      case "finish":
      case "give-back":
      case "send-back":
        return end(sort, dice);
      case "withdraw": {
        // Mostly of what was asked, sometimes before it is asked.
        const next = `request-${serial + 1}`;
        const { requestId, caller } =
          asked.length > 0 && dice.chance(85) ? dice.pick(asked.slice(-10)) : { requestId: next };
        const words = dice.pick(["", "withdrawn"]);
        return { kind: "withdraw-pull", requestId, words, caller: callerFor(caller, dice) };
      }
      case "abandon": {
        const id = model.works.length > 0 && dice.chance(60) ? dice.pick(model.works).work.id : `nothing-${serial}`;
        const { requestId, caller } =
          asked.length > 0 && dice.chance(50) ? dice.pick(asked.slice(-10)) : { requestId: "" };
        return { kind: "abandon-pull", id, requestId, caller: callerFor(caller, dice) };
      }
      case "leave":
        return leave(dice);
      case "resume": {
        const at = cardFor(dice, isActive);
        return {
          kind: "resume-work",
          ...at,
          token: tokenOf(at, dice),
          stream: ++serial,
          monitored: dice.chance(85),
          keepOnCancel: dice.chance(40),
          caller: callerAt(at, dice),
        };
      }
      case "renew": {
        const at = cardFor(dice, isActive);
        return { kind: "renew-work", ...at, token: tokenOf(at, dice), caller: callerAt(at, dice) };
      }
      case "block": {
        const at = cardFor(dice, () => true);
        const token = dice.chance(50) ? 0 : tokenOf(at, dice);
        return { kind: "block", ...at, token, reason: "because", caller: callerAt(at, dice) };
      }
      case "unblock":
        return { kind: "unblock", ...cardFor(dice, (card) => card.state === "blocked") };
      case "delete-card":
        return { kind: "delete-card", ...cardFor(dice, () => true), revision: dice.chance(90) ? undefined : STALE };
      case "update-card": {
        const content = dice.chance(70) ? { priority: dice.pick([0, 1, 5, -1_000]) } : { title: "y" };
        const revision = dice.chance(90) ? undefined : STALE;
        return { kind: "update-card", ...cardFor(dice, () => true), content, revision };
      }
      case "update-board":
        return update(dice);
      case "delete-board": {
        const name = dice.pick([...NAMES, "nothing"]);
        const revision = dice.chance(90) ? undefined : 0;
        return { kind: "delete-board", name, revision, force: dice.chance(50) };
      }
      case "declare": {
        const renamed = new Map<string, ReadonlyMap<string, string>>();
        const configs = NAMES.filter(() => dice.chance(50)).map((name) => {
          const board = model.boards.get(name);
          if (board === undefined || dice.chance(50)) return configOf(name, dice);
          // As a file that is edited, and says the renames of before as long as it stands.
          const { stages, renamed: now } = changedStages(board.config.stages, dice);
          const renames = stillSaid(stages, [...now, ...(renamesSaid.get(name) ?? [])]);
          renamesSaid.set(name, renames);
          renamed.set(name, renames);
          return { ...board.config, stages };
        });
        return { kind: "declare-boards", configs, renamed };
      }
      case "answer":
        if (limiter.late.size > 0 && dice.chance(20)) return limiter.grant(dice.pick([...limiter.late]));
        if (limiter.asked.size === 0) return WAKE;
        if (dice.chance(25)) return limiter.refuse(dice.pick([...limiter.asked]));
        return limiter.grant(dice.pick([...limiter.asked]));
      case "lose":
        return limiter.held.size === 0 ? WAKE : limiter.lose(dice.pick([...limiter.held]));
      case "session":
        return ofSession(dice);
      case "wake":
        return WAKE;
    }
  }

  function configOf(name: string, dice: Dice): BoardConfig {
    const limit = () => dice.pick([1, 1, 2, 2, 3]);
    const done = limitedEnds && dice.chance(15) ? dice.pick([1, 3]) : undefined;
    const stages: Record<string, StageConfig[]> = {
      five: [
        queue("Backlog", dice.pick([undefined, 4]), { autoPull: false }),
        queue("Ready", limit(), { autoPull: dice.chance(80) }),
        work("InProgress", limit()),
        work("Review", limit()),
        queue("Done", done),
      ],
      short: [queue("In", dice.pick([undefined, 1, 2])), work("Work", limit()), queue("Out", done)],
      queues: [
        queue("In", dice.pick([undefined, 2])),
        work("First", dice.pick([undefined, 1, 2])),
        queue("Between", limit(), { autoPull: dice.chance(50) }),
        work("Second", limit()),
        queue("Out", done, { autoPull: dice.chance(80) }),
      ],
      limited: [
        queue("In"),
        work("Work", dice.pick([1, 1, 2]), { limiter: dice.chance(40) ? "l" : "" }),
        work("Check", dice.pick([1, 1, 2]), { limiter: "m" }),
        queue("Out", done),
      ],
    };
    return boardOf({ name, ...aboutOf(dice), stages: stages[name] ?? FIVE });
  }

  return {
    next(seed, wakeAt) {
      const dice = createDice(seed);
      const wait = dice.chance(atOnce) ? 0 : Math.max(0, waitOf(dice, wakeAt - now));
      now += wait;
      return { command: commandOf(dice), wait };
    },
  };
}

const WAKE = { kind: "wake" } as const;

type SomeCard = BoardModel["cards"][number];

const isActive = ({ state }: SomeCard) => state === "active";

function placeOf({ board, id }: SomeCard): { board: string; cardId: string } {
  return { board: board.config.name, cardId: id };
}

function aboutOf(dice: Dice): Partial<BoardConfig> {
  return {
    maxAttempts: dice.pick([1, 2, 5]),
    ttl: dice.pick([0, 100 * MILLISECOND, SECOND]),
    maxCards: dice.pick([6, 12, 100]),
    keepCompleted: dice.pick([0, 1, 3, 1_000]),
    keepCompletedFor: dice.pick([undefined, undefined, SECOND, HOUR]),
    maxPullers: dice.pick([0, 1, 3, 20, 20, 20]),
  };
}

function sortOf(dice: Dice, shares: Mix["shares"]): Sort {
  let roll = dice.roll(1_000);
  for (const [sort, share] of shares) {
    roll -= share;
    if (roll < 0) return sort;
  }
  return "wake";
}

/** Mostly none or little time; now and then so much that all that runs out has run out. */
function waitOf(dice: Dice, untilWake: number): number {
  const sort = dice.roll(1_000);
  if (sort < 500) return 0;
  if (sort < 780) return dice.roll(2 * MILLISECOND);
  if (sort < 880) return dice.roll(300 * MILLISECOND);
  if (sort < 900) return dice.roll(30 * SECOND);
  if (sort < 903) return dice.roll(20 * MINUTE);
  if (sort < 904) return dice.roll(3 * DAY);
  if (untilWake === Number.POSITIVE_INFINITY) return dice.roll(2 * MILLISECOND);
  if (sort < 980) return untilWake;
  return sort < 990 ? untilWake - 1 : untilWake + dice.roll(5 * MILLISECOND);
}
