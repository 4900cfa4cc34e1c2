/** ConfigService: what the server was configured with. */

import { create } from "@bufbuild/protobuf";
import type { Caller } from "../access/caller.ts";
import { EVERYTHING, type Rights } from "../access/rights.ts";
import type { Clock } from "../clock.ts";
import type { BoardEngine } from "../engine/board-engine.ts";
import type { Engine } from "../engine/engine.ts";
import {
  ConfigService,
  type GetConfigResponse,
  ListDeclaredBoardsResponseSchema,
  ListDeclaredLimitersResponseSchema,
  ServerStatusSchema,
} from "../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { BoardSchema } from "../gen/ggen/backpressure/v1/board_pb.ts";
import { LimiterSchema } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import type { ReadLoad } from "../load.ts";
import { boardFields } from "../wire/board-wire.ts";
import { limiterFields } from "../wire/limiter-wire.ts";
import { NAME, pageFromWire, pageTokenToWire } from "../wire/page-wire.ts";
import { msToTimestamp } from "../wire/time-wire.ts";
import { sees, visiblePage } from "./access/visible.ts";
import { createRpcService, type RpcService } from "./rpc.ts";
import { serverLoadMessage } from "./server-load.ts";

export interface ConfigServiceOptions {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  /** What callers may do, as of now. Unset: everything. */
  readonly rightsOf?: (caller: Caller) => Rights;
  /** The settings in force, as they are shown; when they are read, and what is carried then, is said by the service. */
  readonly running: () => GetConfigResponse;
  readonly load: ReadLoad;
}

export function createConfigService(options: ConfigServiceOptions): RpcService {
  const { clock, engine, boards, running, load, rightsOf = () => EVERYTHING } = options;
  return createRpcService(ConfigService, {
    async getConfig() {
      // What is known otherwise is said all the same.
      const carried = await load().then(serverLoadMessage, () => undefined);
      const { status = create(ServerStatusSchema), ...settings } = running();
      return {
        ...settings,
        status: { ...status, load: carried },
        readTime: msToTimestamp(clock.wallTime(clock.now())),
      };
    },

    async listDeclaredLimiters(request, { caller }) {
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NAME);
      const { items, next } = await visiblePage(
        after,
        (from) => engine.limiters({ after: from, limit }),
        (view) => sees(rights, view),
        ({ config }) => config.name,
      );
      return create(ListDeclaredLimitersResponseSchema, {
        limiters: items.flatMap(({ declaration }) =>
          declaration === undefined ? [] : [create(LimiterSchema, limiterFields(declaration))],
        ),
        nextPageToken: pageTokenToWire(next),
      });
    },

    async listDeclaredBoards(request, { caller }) {
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NAME);
      const { items, next } = await visiblePage(
        after,
        (from) => boards.boards({ after: from, limit }),
        ({ config }) => rights.mayBoard("observe", config.name),
        ({ config }) => config.name,
      );
      return create(ListDeclaredBoardsResponseSchema, {
        boards: items.flatMap(({ declaration }) =>
          declaration === undefined ? [] : [create(BoardSchema, boardFields(declaration))],
        ),
        nextPageToken: pageTokenToWire(next),
      });
    },
  });
}
