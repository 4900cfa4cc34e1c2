import { AsyncResource } from "node:async_hooks";
import { EventEmitter } from "node:events";
import type { Http2Session } from "node:http2";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createSessionKeeper } from "../../../src/server/transport/http2/session-keeper.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Collects everything, and waits until that is known. */
async function wholeCollection(): Promise<void> {
  let known = false;
  const observer = new PerformanceObserver((list) => {
    const kinds = list.getEntries().map((entry) => (entry as { detail?: { kind?: number } }).detail?.kind);
    known ||= kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR);
  });
  observer.observe({ entryTypes: ["gc"] });
  collect();
  // Node tells of it in the next turn of the loop, but makes none for that.
  while (!known) await new Promise((resolve) => setImmediate(resolve));
  observer.disconnect();
}

/** A session whose settings have come, from the native half that is returned, weakly. */
function watchedSession(): { readonly session: EventEmitter; readonly native: WeakRef<object> } {
  const session = new EventEmitter();
  createSessionKeeper().watch(session as Http2Session);
  const native = new AsyncResource("HTTP2SESSION");
  native.runInAsyncScope(() => session.emit("remoteSettings"));
  return { session, native: new WeakRef(native) };
}

test("the native half of a session that ended with an error outlives a whole collection, and not many more", async () => {
  const { session, native } = watchedSession();
  session.emit("error", new Error("protocol error"));
  session.removeAllListeners();
  await wholeCollection();
  await wholeCollection();
  expect(native.deref()).toBeDefined();
  for (let i = 0; i < 3; i += 1) await wholeCollection();
  expect(native.deref()).toBe(undefined);
});

test("that of a session that ended without one is let go", async () => {
  const { session, native } = watchedSession();
  session.removeAllListeners();
  await wholeCollection();
  await wholeCollection();
  expect(native.deref()).toBe(undefined);
});
