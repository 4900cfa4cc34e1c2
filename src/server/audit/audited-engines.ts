/**
 * Engines whose operators are written down: each command of theirs has its line, with what was and what is to be, before it is
 * decided, and another if it is refused. A command that has no line is not carried out. All other commands pass through.
 */

import { create, type DescMessage, type JsonObject, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import type { BoardAnswerTo, BoardAsk, BoardEngine } from "../engine/board-engine.ts";
import { type AnswerTo, type Ask, type Engine, EngineUnavailable } from "../engine/engine.ts";
import { BoardSchema } from "../gen/ggen/backpressure/v1/board_pb.ts";
import { LimiterSchema } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import type { BoardConfig } from "../machine/board/model.ts";
import { ANONYMOUS_CALLER } from "../machine/callers.ts";
import type { LimiterConfig } from "../machine/limiter/limiter.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { boardFields } from "../wire/board-wire.ts";
import { limiterFields } from "../wire/limiter-wire.ts";
import type { AuditLog } from "./audit-log.ts";
import type { AuditEvent } from "./line.ts";

interface Engines {
  readonly limiters: Engine;
  readonly boards: BoardEngine;
}

type Values = Readonly<Record<string, unknown>>;

/** What a command is about, and what it changes. */
interface Act {
  /** `limiter/db`, `lease/ID`. */
  readonly of: string;
  readonly old: Values | undefined;
  readonly new: Values | undefined;
  /** What else it says. */
  readonly with?: Values;
}

export function auditEngines({ limiters, boards }: Engines, audit: AuditLog): Engines {
  /** Commands of operators are carried out one behind the other, as they came. */
  let last: Promise<void> = Promise.resolve();

  function carryOut<A extends { readonly kind: string; readonly caller?: string | undefined }>(
    command: A,
    read: () => Promise<Act>,
    ports: {
      readonly submit: (
        answer: (outcome: { readonly kind: string }) => void,
        fail: (e: EngineUnavailable) => void,
      ) => void;
      readonly answer: (outcome: never) => void;
      readonly fail: (error: EngineUnavailable) => void;
    },
  ): void {
    const { submit, answer, fail } = ports;
    const say = (outcome: unknown) => answer(outcome as never);
    last = last.then(async () => {
      let seq: number;
      try {
        const act = await read();
        seq = await audit.write(eventOf(command, act));
      } catch (error) {
        if (error instanceof EngineUnavailable) fail(error);
        else say(refusal("NOT_AUDITED"));
        return;
      }
      await new Promise<void>((done) => {
        const fails = (error: EngineUnavailable) => {
          fail(error);
          done();
        };
        submit((outcome) => {
          const told = outcome.kind === "refused" ? noteRefused(seq, outcome as Refusal) : undefined;
          if (told === undefined) say(outcome);
          else void told.then(() => say(outcome));
          done();
        }, fails);
      });
    });
  }

  /** Nothing was changed, so that a line which cannot be written keeps no answer back. */
  async function noteRefused(seq: number, { reason }: Refusal): Promise<void> {
    await audit.write({ event: "refused", line: seq, reason }).catch(() => {});
  }

  return {
    limiters: {
      ...limiters,
      async note(noted) {
        audit.note({ ...noted });
      },
      submit<A extends Ask>(
        command: A,
        answer: (answer: AnswerTo<A>) => void,
        fail: (error: EngineUnavailable) => void,
      ): void {
        const read = readerOf(limiters, command);
        if (read === undefined) limiters.submit(command, answer, fail);
        else {
          const submit = (say: (outcome: { readonly kind: string }) => void, fails: typeof fail) =>
            limiters.submit(command, say as (answer: AnswerTo<A>) => void, fails);
          carryOut(command, read, { submit, answer, fail });
        }
      },
    },
    boards: {
      ...boards,
      submit<A extends BoardAsk>(
        command: A,
        answer: (answer: BoardAnswerTo<A>) => void,
        fail: (error: EngineUnavailable) => void,
      ): void {
        const read = readerOfBoards(boards, command);
        if (read === undefined) boards.submit(command, answer, fail);
        else {
          const submit = (say: (outcome: { readonly kind: string }) => void, fails: typeof fail) =>
            boards.submit(command, say as (answer: BoardAnswerTo<A>) => void, fails);
          carryOut(command, read, { submit, answer, fail });
        }
      },
    },
  };
}

function eventOf(
  { kind, caller = ANONYMOUS_CALLER }: { kind: string; caller?: string | undefined },
  act: Act,
): AuditEvent {
  const { of, old, new: next, with: more } = act;
  return { event: "operate", caller, what: kind, of, ...more, ...changeOf(old, next) };
}

/** What of two sets of values differs; one that is missing is null. */
function changeOf(old: Values | undefined, next: Values | undefined): { readonly old: unknown; readonly new: unknown } {
  if (old === undefined || next === undefined) return { old: old ?? null, new: next ?? null };
  const differ = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter(
    (name) => JSON.stringify(old[name]) !== JSON.stringify(next[name]),
  );
  const pick = (values: Values) => Object.fromEntries(differ.map((name) => [name, values[name] ?? null]));
  return { old: pick(old), new: pick(next) };
}

/** Returns what reads the act of an operator; undefined: the command is no operator's. */
function readerOf(engine: Engine, command: Ask): (() => Promise<Act>) | undefined {
  switch (command.kind) {
    case "create-limiter":
    case "update-limiter": {
      const { name } = command.config;
      return async () => ({
        of: `limiter/${name}`,
        old: await limiterNow(engine, name),
        new: limiterValues(command.config),
      });
    }
    case "delete-limiter": {
      const { name, force } = command;
      return async () => ({
        of: `limiter/${name}`,
        with: { force },
        old: await limiterNow(engine, name),
        new: undefined,
      });
    }
    case "revoke": {
      const { leaseId, force, message } = command;
      return async () => {
        const lease = await engine.lease(leaseId);
        const old = lease && { holder: lease.holder, caller: lease.caller, claims: lease.claims };
        return { of: `lease/${leaseId}`, with: { force, message }, old, new: undefined };
      };
    }
    case "cancel-waiter": {
      const { waiterId } = command;
      return async () => {
        const waiter = await engine.waiter(waiterId);
        const old = waiter && { holder: waiter.holder, caller: waiter.caller, claims: waiter.claims };
        return { of: `waiter/${waiterId}`, old, new: undefined };
      };
    }
    default:
      return undefined;
  }
}

function readerOfBoards(boards: BoardEngine, command: BoardAsk): (() => Promise<Act>) | undefined {
  switch (command.kind) {
    case "create-board":
    case "update-board": {
      const { name } = command.config;
      return async () => ({ of: `board/${name}`, old: await boardNow(boards, name), new: boardValues(command.config) });
    }
    case "delete-board": {
      const { name, force } = command;
      return async () => ({ of: `board/${name}`, with: { force }, old: await boardNow(boards, name), new: undefined });
    }
    case "delete-card": {
      const { board, cardId } = command;
      return async () => {
        const card = await boards.card(board, cardId);
        const old = card && { title: card.content.title, stage: card.stage, state: card.state };
        return { of: `card/${board}/${cardId}`, old, new: undefined };
      };
    }
    default:
      return undefined;
  }
}

async function limiterNow(engine: Engine, name: string): Promise<Values | undefined> {
  const view = await engine.limiter(name, "");
  return view && limiterValues(view.config);
}

async function boardNow(boards: BoardEngine, name: string): Promise<Values | undefined> {
  const view = await boards.board(name);
  return view && boardValues(view.config);
}

function limiterValues(config: LimiterConfig): Values {
  return valuesOf(LimiterSchema, limiterFields(config));
}

function boardValues(config: BoardConfig): Values {
  return valuesOf(BoardSchema, boardFields(config));
}

/** As the file and the contract name them. */
function valuesOf<D extends DescMessage>(schema: D, fields: MessageInitShape<D>): Values {
  return toJson(schema, create(schema, fields), { useProtoFieldName: true }) as JsonObject;
}
