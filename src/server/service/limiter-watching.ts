/** One WatchLimiters call: what there is, then what changes, never more than the newest of each limiter unsent. */

import { create } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type { Engine, LimiterChanges } from "../engine/engine.ts";
import {
  LimiterSnapshotSchema,
  type WatchLimitersResponse,
  WatchLimitersResponseSchema,
} from "../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { LimiterView } from "../machine/view.ts";
import { internalError } from "../wire/error-wire.ts";
import { limiterMessage } from "../wire/limiter-wire.ts";
import { createOutbox } from "./outbox.ts";
import type { ServerStream } from "./rpc.ts";

const PAGE = 1_000;

interface WatchPorts {
  readonly clock: Clock;
  readonly engine: Engine;
}

/** Empty `names`: all limiters, those to come too. */
export function watchLimiters(
  { clock, engine }: WatchPorts,
  stream: ServerStream<WatchLimitersResponse>,
  names: readonly string[],
): void {
  const wanted = names.length === 0 ? undefined : new Set(names);
  const watched = (name: string) => wanted?.has(name) ?? true;
  const outbox = createOutbox<string, WatchLimitersResponse>(stream);
  let early: LimiterChanges[] | undefined = [];

  const say = (name: string, event: WatchLimitersResponse["event"]) =>
    outbox.put(name, create(WatchLimitersResponseSchema, { event }));

  const tell = ({ changed, removed }: LimiterChanges) => {
    for (const view of changed) {
      const { name } = view.config;
      if (watched(name)) say(name, { case: "changed", value: limiterMessage(view, clock) });
    }
    for (const name of removed) if (watched(name)) say(name, { case: "removed", value: name });
  };

  // What changes while the snapshot is read is told after it.
  const unwatch = engine.watch((changes) => (early === undefined ? tell(changes) : early.push(changes)));
  stream.onEnd(unwatch);
  readAll(engine).then(
    (views) => {
      const limiters = views.filter((view) => watched(view.config.name)).map((view) => limiterMessage(view, clock));
      say("", { case: "snapshot", value: create(LimiterSnapshotSchema, { limiters }) });
      const missed = early ?? [];
      early = undefined;
      for (const changes of missed) tell(changes);
    },
    () => {
      unwatch();
      stream.fail(internalError());
    },
  );
}

async function readAll(engine: Engine): Promise<LimiterView[]> {
  const views: LimiterView[] = [];
  let after = "";
  do {
    const page = await engine.limiters({ after, limit: PAGE });
    views.push(...page.items);
    after = page.next;
  } while (after !== "");
  return views;
}
