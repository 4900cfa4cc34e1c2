/**
 * One WatchLimiters call: what there is, then what changes, never more than the newest of each limiter unsent.
 *
 * Few are read and sent at once, so that others have a turn, and none before the reader can take them.
 */

import { create } from "@bufbuild/protobuf";
import type { Rights } from "../access/rights.ts";
import type { Clock } from "../clock.ts";
import type { Engine } from "../engine/engine.ts";
import {
  LimiterSnapshotSchema,
  type WatchLimitersResponse,
  WatchLimitersResponseSchema,
} from "../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { LimiterView } from "../machine/limiter/view.ts";
import { limiterMessage } from "../wire/limiter-wire.ts";
import { asSeen, sees } from "./access/visible.ts";
import { failureOf } from "./failure.ts";
import type { ServerStream } from "./rpc.ts";

/** Limiters that are read, or sent, before others have a turn. */
const AT_ONCE = 40;
/** Limiters in the first message: the largest are together well below 1 MB. */
const FIRST_MESSAGE = 200;

interface WatchPorts {
  readonly clock: Clock;
  readonly engine: Engine;
  /** What its caller may see, as of now. */
  readonly rights: () => Rights;
}

/** Empty `names`: all limiters, those to come too. */
export function watchLimiters(
  { clock, engine, rights }: WatchPorts,
  stream: ServerStream<WatchLimitersResponse>,
  names: readonly string[],
): void {
  const wanted = names.length === 0 ? undefined : new Set(names);
  const byName = [...(wanted ?? [])].sort();
  /** What has yet to be sent, by name; undefined: it is gone. */
  const news = new Map<string, LimiterView | undefined>();
  let writable = true;
  let over = false;
  let wake = () => {};

  const unwatch = engine.watch(({ changed, removed }) => {
    for (const view of changed) put(view.config.name, view);
    for (const name of removed) put(name, undefined);
    wake();
  }, fail);
  stream.onWritable(() => {
    writable = true;
    wake();
  });
  stream.onEnd(end);
  run().catch(fail);

  function end(): void {
    over = true;
    unwatch();
    wake();
  }

  function fail(error: unknown): void {
    if (over) return;
    end();
    stream.fail(failureOf(error));
  }

  function put(name: string, view: LimiterView | undefined): void {
    if (wanted?.has(name) === false) return;
    // Of what may not be seen not even its end is told.
    if (rights().reach("observe", name) !== "whole") return;
    news.delete(name);
    news.set(name, view);
  }

  async function run(): Promise<void> {
    await sendAll();
    while (!over) {
      if (news.size === 0) await woken();
      else await othersTurn();
      await room();
      let left = AT_ONCE;
      for (const [name, view] of news) {
        if (over || !writable || left === 0) break;
        left -= 1;
        news.delete(name);
        if (view === undefined) send({ case: "removed", value: name }, false);
        else send({ case: "changed", value: message(view) }, false);
      }
    }
  }

  /** The first of them in one message, and the rest one by one. Each is held back until it is known whether more follows. */
  async function sendAll(): Promise<void> {
    const first: LimiterView[] = [];
    let heldBack: WatchLimitersResponse["event"] | undefined;
    const say = async (event: WatchLimitersResponse["event"]) => {
      if (heldBack !== undefined) {
        await room();
        if (!over) send(heldBack, true);
      }
      heldBack = event;
    };
    const snapshot = () => {
      const limiters = first.map(message);
      return { case: "snapshot", value: create(LimiterSnapshotSchema, { limiters }) } as const;
    };
    let after = "";
    do {
      const page = await readSome(after);
      after = page.next;
      if (heldBack !== undefined) {
        for (const view of page.items) await say({ case: "changed", value: message(view) });
      } else {
        first.push(...page.items);
        if (first.length >= FIRST_MESSAGE) await say(snapshot());
      }
      await othersTurn();
    } while (after !== "" && !over);
    heldBack ??= snapshot();
    await room();
    if (!over) send(heldBack, false);
  }

  async function readSome(after: string): Promise<{ readonly items: readonly LimiterView[]; readonly next: string }> {
    if (wanted === undefined) {
      const { items, next } = await engine.limiters({ after, limit: AT_ONCE });
      return { items: items.filter((view) => sees(rights(), view)), next };
    }
    const start = Number(after);
    const end = start + AT_ONCE;
    const views = await Promise.all(byName.slice(start, end).map((name) => engine.limiter(name, "")));
    return { items: views.filter((view) => view !== undefined), next: end < byName.length ? String(end) : "" };
  }

  function message(view: LimiterView) {
    return limiterMessage(asSeen(rights(), view));
  }

  function send(event: WatchLimitersResponse["event"], more: boolean): void {
    writable = stream.send(create(WatchLimitersResponseSchema, more ? { event, more } : { event }));
  }

  async function room(): Promise<void> {
    while (!writable && !over) await woken();
  }

  function woken(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  function othersTurn(): Promise<void> {
    return new Promise((resolve) => {
      clock.schedule(clock.now(), false, resolve);
    });
  }
}
