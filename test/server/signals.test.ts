import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { hearServerSignals } from "../../src/server/signals.ts";

function start() {
  const source = new EventEmitter();
  let now = 0;
  const signals = hearServerSignals(source, () => now);
  const ends: [string, number][] = [];
  return {
    signals,
    ends,
    hearEnds: () => signals.onEnd((cause, count) => ends.push([cause, count])),
    send(signal: NodeJS.Signals, after = 0) {
      now += after;
      source.emit(signal);
    },
  };
}

test("a SIGHUP that comes before the server can reload is done once it can, and later ones at once", () => {
  const { signals, send } = start();
  send("SIGHUP");
  send("SIGHUP");
  let reloads = 0;
  signals.onReload(() => {
    reloads += 1;
  });
  expect(reloads).toBe(1);
  send("SIGHUP");
  expect(reloads).toBe(2);
});

test("a signal that asks to end aborts the start, and is passed on to the server once that serves", () => {
  const { signals, ends, hearEnds, send } = start();
  expect(signals.ending.aborted).toBe(false);
  send("SIGTERM");
  expect(signals.ending.aborted).toBe(true);
  hearEnds();
  send("SIGINT");
  expect(ends).toEqual([
    ["SIGTERM", 1],
    ["SIGINT", 2],
  ]);
});

test("the same signal within a second counts once: npm passes on a Ctrl-C that the whole group has had", () => {
  const { ends, hearEnds, send } = start();
  hearEnds();
  send("SIGINT");
  send("SIGINT", 900);
  expect(ends).toEqual([["SIGINT", 1]]);
  send("SIGINT", 1_100);
  expect(ends).toEqual([
    ["SIGINT", 1],
    ["SIGINT", 2],
  ]);
});

test("the end of npm's process ends the server as a signal does", () => {
  const { signals, ends, hearEnds, send } = start();
  hearEnds();
  signals.end("parent");
  send("SIGTERM");
  expect(ends).toEqual([
    ["parent", 1],
    ["SIGTERM", 2],
  ]);
});
