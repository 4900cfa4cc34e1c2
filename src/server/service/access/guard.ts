/** The guard of all services: what the access list does not allow reaches no function, and streams end that it allows no longer. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { AccessList } from "../../access/access-list.ts";
import type { Caller } from "../../access/caller.ts";
import { EVERYTHING, type Rights } from "../../access/rights.ts";
import type { RenewCardResult } from "../../gen/ggen/backpressure/v1/board_service_pb.ts";
import { Reason } from "../../gen/ggen/backpressure/v1/reason_pb.ts";
import type { SessionCommand } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Claim } from "../../machine/limiter/claim.ts";
import { notAllowed, tellsOfThings, WireError } from "../../wire/error-wire.ts";
import { byName, type CommandCallerOf } from "../command-caller.ts";
import { type BidiHandler, decorate, type RpcService, type ServerStreamHandler, type UnaryHandler } from "../rpc.ts";
import { hide, mayHearOf, refusalOf } from "./decide.ts";
import { GuardedStream } from "./guarded-stream.ts";
import { RULES, type Rule, ruleOfCommand } from "./rules.ts";

/** A call, or a command of a session, that was refused. */
export interface Denied {
  readonly caller: Caller;
  /** `ggen.backpressure.v1.AdmissionService/Acquire`. */
  readonly method: string;
  readonly peer: string;
  readonly error: WireError;
}

/** What a session asks of the guard. */
export interface CommandGuard {
  /** Returns why a command is refused; undefined: it is not. */
  refusalOf(caller: Caller, command: SessionCommand["command"], peer: string): WireError | undefined;
  /** The same of what waits already. */
  refusalOfClaims(caller: Caller, claims: readonly Claim[]): WireError | undefined;
  refusalOfPull(caller: Caller, board: string): WireError | undefined;
  /** Returns the board of a command of which the caller may hear nothing but of its own work; undefined: it may. */
  boardToHide(caller: Caller, command: SessionCommand["command"]): string | undefined;
  /** The listener is called when another list is in force. Returns what ends that. */
  onChange(listener: () => void): () => void;
}

export interface AccessGuard extends CommandGuard {
  guard(service: RpcService): RpcService;
  rightsOf(caller: Caller): Rights;
  readonly commandCaller: CommandCallerOf;
  /** Another list is in force; undefined: none. What waits or watches and is allowed no longer ends before this returns. */
  setList(list: AccessList | undefined): void;
}

export interface AccessGuardOptions {
  readonly list: AccessList | undefined;
  readonly onDenied?: (denied: Denied) => void;
}

export function createAccessGuard({ list: first, onDenied = () => {} }: AccessGuardOptions): AccessGuard {
  let list = first;
  const streams = new Set<GuardedStream<unknown>>();
  const listeners = new Set<() => void>();

  function rightsOf(caller: Caller): Rights {
    return list === undefined ? EVERYTHING : list.of(caller);
  }

  function check(rule: Rule<unknown>, method: string, request: unknown, call: { caller: Caller; peer: string }): void {
    if (list === undefined) return;
    const error = refusalOf(rule, list.of(call.caller), request);
    if (error === undefined) return;
    onDenied({ caller: call.caller, method, peer: call.peer, error });
    throw error;
  }

  const decorator = {
    unary(handle: UnaryHandler<unknown, unknown>, descriptor: DescMethod): UnaryHandler<unknown, unknown> {
      const rule = ruleOf(descriptor);
      const method = pathOf(descriptor);
      if (rule.kind === "own-work") {
        return (request, call) => {
          const board = rule.board(request);
          return mayHearOf(rightsOf(call.caller), board)
            ? handle(request, call)
            : answerForOwner(board, () => handle(request, call));
        };
      }
      return (request, call) => {
        check(rule, method, request, call);
        return handle(request, call);
      };
    },

    stream(
      handle: ServerStreamHandler<unknown, unknown>,
      descriptor: DescMethod,
    ): ServerStreamHandler<unknown, unknown> {
      const rule = ruleOf(descriptor);
      const method = pathOf(descriptor);
      if (rule.kind === "open") return handle;
      return (request, stream) => {
        check(rule, method, request, stream);
        const recheck = () => (list === undefined ? undefined : refusalOf(rule, list.of(stream.caller), request));
        const heard = (error: WireError) => heardOf(rightsOf(stream.caller), request, error);
        const guarded = new GuardedStream(stream, { streams, recheck, heard });
        streams.add(guarded);
        try {
          handle(request, guarded);
        } catch (error) {
          streams.delete(guarded);
          throw error;
        }
      };
    },

    bidi(handle: BidiHandler<unknown, unknown>, descriptor: DescMethod): BidiHandler<unknown, unknown> {
      const rule = ruleOf(descriptor);
      const method = pathOf(descriptor);
      return (stream) => {
        check(rule, method, undefined, stream);
        handle(stream);
      };
    },
  };

  return {
    guard: (service) => decorate(service, decorator),
    rightsOf,
    commandCaller(caller) {
      const bounds = list?.of(caller).bounds;
      return bounds === undefined ? byName(caller) : { caller: caller.name, bounds };
    },
    setList(next) {
      list = next;
      for (const stream of [...streams]) stream.recheck();
      for (const listener of [...listeners]) listener();
    },
    refusalOf(caller, command, peer) {
      if (list === undefined) return undefined;
      const error = refusalOf(ruleOfCommand(command) as Rule<unknown>, list.of(caller), command.value);
      if (error !== undefined) onDenied({ caller, method: `Session/${command.case}`, peer, error });
      return error;
    },
    refusalOfClaims(caller, claims) {
      return list && refusalOf(CLAIMING, list.of(caller), claims);
    },
    refusalOfPull(caller, board) {
      return list && refusalOf(PULLING, list.of(caller), board);
    },
    boardToHide(caller, { case: kind, value }) {
      const isWork = kind === "finish" || kind === "giveBack" || kind === "sendBack";
      return list === undefined || !isWork || mayHearOf(list.of(caller), value.board) ? undefined : value.board;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const CLAIMING: Rule<readonly Claim[]> = {
  kind: "named",
  verb: "acquire",
  of: (claims) => claims.map(({ limiter, key }) => ({ kind: "key", limiter, key })),
};
const PULLING: Rule<string> = { kind: "named", verb: "acquire", of: (board) => [{ kind: "board", board }] };

/** The rule of a method; one that has none is a bug, which the start of the server finds. */
function ruleOf(method: DescMethod): Rule<unknown> {
  const rule = RULES[method.parent.typeName]?.[method.localName];
  if (rule === undefined) throw new Error(`${pathOf(method)} has no rule of access`);
  return rule as Rule<unknown>;
}

function pathOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

/**
 * Answers what a caller has asked of work on a board of which it may hear nothing else: that of its own is answered; for any other
 * it is as if it had asked for the board.
 */
async function answerForOwner(board: string, handle: () => unknown): Promise<unknown> {
  const no = notAllowed("acquire", `board/${board}`);
  let answer: unknown;
  try {
    answer = await handle();
  } catch (error) {
    throw error instanceof WireError && tellsOfThings(error) ? no : error;
  }
  const { card, results = [] } = answer as { readonly card?: unknown; readonly results?: readonly RenewCardResult[] };
  const isOwn = card !== undefined || results.some(({ result }) => result.case === "renewed");
  if (!isOwn) throw no;
  for (const { result } of results) {
    if (result.case === "refused") Object.assign(result.value, { reason: Reason.NOT_ALLOWED, message: no.message });
  }
  return answer;
}

/** What a caller hears of an error that tells of a board, where it may hear nothing of that. */
function heardOf(rights: Rights, request: unknown, error: WireError): WireError {
  const { board } = request as { readonly board?: unknown };
  return typeof board !== "string" || mayHearOf(rights, board) ? error : hide(board, error);
}
