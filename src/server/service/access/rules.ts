/**
 * Which RPC takes which right, and of what. A new RPC without a rule here does not compile; of what a list shows, and of what is
 * named by an id alone, its service decides.
 */

import type { MessageShape } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import type { Verb } from "../../access/rights.ts";
import { ConfigService } from "../../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { AdmissionService } from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../gen/ggen/backpressure/v1/board_service_pb.ts";
import type { Claim } from "../../gen/ggen/backpressure/v1/lease_pb.ts";
import { LimiterService } from "../../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { type SessionCommand, SessionService } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** What a request names. */
export type Resource =
  /** A limiter; of a keyed one, one key. */
  | { readonly kind: "key"; readonly limiter: string; readonly key: string }
  /** A limiter with all its keys. */
  | { readonly kind: "limiter"; readonly limiter: string }
  /** A limiter, of which the service then shows what may be seen. */
  | { readonly kind: "part"; readonly limiter: string }
  | { readonly kind: "board"; readonly board: string }
  /** All that there is. */
  | { readonly kind: "all" };

export type Rule<I> =
  /** Nobody is asked. */
  | { readonly kind: "open" }
  /** Any caller that has a credential. */
  | { readonly kind: "known" }
  /** The service decides: by whose the lease is, or by what it finds under an id, or it shows what may be seen. */
  | { readonly kind: "service" }
  | { readonly kind: "named"; readonly verb: Verb; readonly of: (request: I) => readonly Resource[] }
  /**
   * Work on a card of this board, by its own worker, who may end it even if it may do nothing else there any more. Any other caller
   * that may neither acquire nor observe there hears nothing of what there is.
   */
  | { readonly kind: "own-work"; readonly board: (request: I) => string };

type RulesOf<S> =
  S extends GenService<infer M> ? { readonly [K in keyof M]: Rule<MessageShape<M[K]["input"]>> } : never;

const OPEN = { kind: "open" } as const;
const KNOWN = { kind: "known" } as const;
const BY_SERVICE = { kind: "service" } as const;
const NONE: readonly Resource[] = [];

function named<I>(verb: Verb, of: (request: I) => readonly Resource[]): Rule<I> {
  return { kind: "named", verb, of };
}

function onBoard<I>(verb: Verb, board: (request: I) => string): Rule<I> {
  return named(verb, (request) => [{ kind: "board", board: board(request) }]);
}

function onLimiter<I>(verb: Verb, limiter: (request: I) => string): Rule<I> {
  return named(verb, (request) => [{ kind: "limiter", limiter: limiter(request) }]);
}

function claimed({ claims }: { readonly claims: readonly Claim[] }): readonly Resource[] {
  return claims.map(({ limiter, key }) => ({ kind: "key", limiter, key }));
}

/** All that a list names is asked for as a part; what it does not name, it shows. */
function listed({ limiter }: { readonly limiter: string }): readonly Resource[] {
  return limiter === "" ? NONE : [{ kind: "part", limiter }];
}

const ALL: readonly Resource[] = [{ kind: "all" }];
const board = (request: { readonly board: string }) => request.board;
const name = (request: { readonly name: string }) => request.name;
const ownWork = { kind: "own-work", board } as const;

const ADMISSION: RulesOf<typeof AdmissionService> = {
  // A lease that lives is taken up again by its own caller.
  acquire: named("acquire", (request) => (request.resume === undefined ? claimed(request) : NONE)),
  tryAcquire: named("acquire", claimed),
  renew: BY_SERVICE,
  release: BY_SERVICE,
};

const LIMITERS: RulesOf<typeof LimiterService> = {
  createLimiter: onLimiter("operate", ({ limiter }) => limiter?.name ?? ""),
  getLimiter: named("observe", (request) => [
    request.key === ""
      ? { kind: "limiter", limiter: request.name }
      : { kind: "key", limiter: request.name, key: request.key },
  ]),
  listLimiters: BY_SERVICE,
  updateLimiter: onLimiter("operate", ({ limiter }) => limiter?.name ?? ""),
  deleteLimiter: onLimiter("operate", name),
  watchLimiters: named("observe", ({ names }) => names.map((limiter) => ({ kind: "limiter", limiter }))),
  getLimiterHistory: onLimiter("observe", name),
  listLeases: named("observe", listed),
  listWaiters: named("observe", listed),
  revokeLease: BY_SERVICE,
  cancelWaiter: BY_SERVICE,
};

const BOARDS: RulesOf<typeof BoardService> = {
  createBoard: onBoard("operate", (request) => request.board?.name ?? ""),
  getBoard: onBoard("observe", name),
  listBoards: BY_SERVICE,
  updateBoard: onBoard("operate", (request) => request.board?.name ?? ""),
  deleteBoard: onBoard("operate", name),
  watchBoard: onBoard("observe", name),
  getFlow: onBoard("observe", name),
  addCard: onBoard("acquire", board),
  getCard: onBoard("observe", board),
  updateCard: onBoard("acquire", board),
  listCards: onBoard("observe", board),
  deleteCard: onBoard("operate", board),
  pullCard: named("acquire", (request) =>
    request.resume === undefined ? [{ kind: "board", board: request.board }] : NONE,
  ),
  tryPullCard: onBoard("acquire", board),
  renewCards: ownWork,
  finishCard: ownWork,
  giveBackCard: ownWork,
  sendBackCard: ownWork,
  blockCard: onBoard("acquire", board),
  unblockCard: onBoard("acquire", board),
};

/** By the names of services, and of their methods. */
export const RULES: Readonly<Record<string, Readonly<Record<string, Rule<never>>>>> = {
  [AdmissionService.typeName]: ADMISSION,
  [LimiterService.typeName]: LIMITERS,
  [BoardService.typeName]: BOARDS,
  // Each of its commands is asked for by itself.
  [SessionService.typeName]: { session: BY_SERVICE } satisfies RulesOf<typeof SessionService>,
  [ConfigService.typeName]: {
    getConfig: named("observe", () => ALL),
    listDeclaredLimiters: BY_SERVICE,
    listDeclaredBoards: BY_SERVICE,
  } satisfies RulesOf<typeof ConfigService>,
  [Health.typeName]: { check: OPEN, list: OPEN, watch: OPEN } satisfies RulesOf<typeof Health>,
  [ServerReflection.typeName]: { serverReflectionInfo: KNOWN } satisfies RulesOf<typeof ServerReflection>,
  [ServerReflectionAlpha.typeName]: { serverReflectionInfo: KNOWN } satisfies RulesOf<typeof ServerReflectionAlpha>,
};

/** What a command of a session takes: what the RPC of the same request does. */
export function ruleOfCommand(command: SessionCommand["command"]): Rule<never> {
  switch (command.case) {
    case "acquire":
    case "tryAcquire":
      return ADMISSION[command.case] as Rule<never>;
    case "pull":
      return BOARDS.pullCard as Rule<never>;
    case "tryPull":
      return BOARDS.tryPullCard as Rule<never>;
    case "finish":
    case "giveBack":
    case "sendBack":
      return ownWork as Rule<never>;
    case "release":
    case "renew":
    case "cancel":
    case undefined:
      return BY_SERVICE;
  }
}
