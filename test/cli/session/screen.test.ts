/** A screen writes the lines that have changed, and gives the terminal back. */

import { EventEmitter } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { openKeyboard } from "../../../src/cli/session/keyboard.ts";
import { type Line, openScreen, type Screen } from "../../../src/cli/session/screen.ts";
import type { Key } from "../../../src/cli/text/keys.ts";
import { createFakeClock } from "../../client/support/fake-clock.ts";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[2J";
const LEAVE = "\u001b[?25h\u001b[?1049l";

const plain = (text: string): Line => ({ text, tone: "plain" });

function createSink(columns: number, rows: number) {
  const sink = Object.assign(new EventEmitter(), {
    written: "",
    columns,
    rows,
    write(text: string) {
      sink.written += text;
      return true;
    },
  });
  return sink;
}

const open: Screen[] = [];
afterEach(() => {
  for (const screen of open.splice(0)) screen[Symbol.dispose]();
});

function createScreen({ columns = 20, rows = 3, colours = false } = {}) {
  const sink = createSink(columns, rows);
  let resizes = 0;
  const screen = openScreen({ sink: sink as never, colours, onResize: () => (resizes += 1) });
  open.push(screen);
  const taken = () => {
    const { written } = sink;
    sink.written = "";
    return written;
  };
  return { sink, screen, taken, resizes: () => resizes };
}

describe("a screen", () => {
  it("writes the lines that differ from those that stand, and no other", () => {
    const { screen, taken } = createScreen();
    expect(taken()).toBe(ENTER);
    screen.draw(["one", "two"].map(plain));
    expect(taken()).toBe("\u001b[1;1H\u001b[2Kone\u001b[2;1H\u001b[2Ktwo");
    screen.draw(["one", "2"].map(plain));
    expect(taken()).toBe("\u001b[2;1H\u001b[2K2");
    screen.draw(["one", "2"].map(plain));
    expect(taken()).toBe("");
    screen.draw(["one"].map(plain));
    expect(taken()).toBe("\u001b[2;1H\u001b[2K");
  });

  it("shows no more than there is room for, and nothing that a terminal obeys", () => {
    const { screen, taken } = createScreen({ columns: 5, rows: 2 });
    taken();
    screen.draw(["a\u001b[2J", "a long line", "below"].map(plain));
    expect(taken()).toBe("\u001b[1;1H\u001b[2Ka\\u0…\u001b[2;1H\u001b[2Ka lo…");
  });

  it("has tones where colours are wanted, and none where not", () => {
    const lines: readonly Line[] = [
      { text: "stuck", tone: "alarm" },
      { text: "row", tone: "selected" },
    ];
    const { screen, taken } = createScreen({ columns: 6, colours: true });
    taken();
    screen.draw(lines);
    expect(taken()).toBe("\u001b[1;1H\u001b[2K\u001b[1;31mstuck\u001b[0m\u001b[2;1H\u001b[2K\u001b[7mrow   \u001b[0m");
    const bare = createScreen({ columns: 6 });
    bare.screen.draw(lines);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what it is about.
    expect(bare.taken()).not.toMatch(/\u001b\[[0-9;]*m/);
  });

  it("is drawn anew when it has another size", () => {
    const { sink, screen, taken, resizes } = createScreen();
    screen.draw([plain("one")]);
    sink.columns = 2;
    taken();
    sink.emit("resize");
    expect(resizes()).toBe(1);
    expect(screen.size).toEqual({ columns: 2, rows: 3 });
    screen.draw([plain("one")]);
    expect(taken()).toBe("\u001b[2J\u001b[1;1H\u001b[2Ko…");
  });

  it("is given back once, however often it is left, and draws nothing then", () => {
    const { sink, screen, taken } = createScreen();
    const listeners = process.listenerCount("exit");
    taken();
    screen[Symbol.dispose]();
    screen[Symbol.dispose]();
    screen.draw([plain("late")]);
    expect(taken()).toBe(LEAVE);
    expect(sink.listenerCount("resize")).toBe(0);
    expect(process.listenerCount("exit")).toBe(listeners - 1);
  });
});

describe("a keyboard", () => {
  function createKeyboard() {
    const clock = createFakeClock();
    const keys: Key["kind"][] = [];
    const calls: string[] = [];
    let ended = 0;
    const source = Object.assign(new EventEmitter(), {
      setRawMode: (raw: boolean) => calls.push(raw ? "raw" : "cooked"),
      setEncoding: () => {},
      resume: () => calls.push("resume"),
      pause: () => calls.push("pause"),
    });
    const keyboard = openKeyboard({
      source: source as never,
      clock,
      onKey: ({ kind }) => keys.push(kind),
      onEnd: () => (ended += 1),
    });
    return { clock, keys, calls, source, keyboard, ended: () => ended };
  }

  it("reads a sequence that comes in two parts, and Escape where nothing follows", () => {
    const { clock, keys, source } = createKeyboard();
    source.emit("data", "\u001b[");
    source.emit("data", "B\u001b");
    expect(keys).toEqual(["down"]);
    clock.advance(49);
    expect(keys).toEqual(["down"]);
    clock.advance(1);
    expect(keys).toEqual(["down", "escape"]);
  });

  it("gives the terminal back, and says when that is gone", () => {
    const { calls, keys, source, keyboard, ended } = createKeyboard();
    source.emit("end");
    expect(ended()).toBe(1);
    keyboard[Symbol.dispose]();
    expect(calls).toEqual(["raw", "resume", "cooked", "pause"]);
    source.emit("data", "q");
    expect(keys).toEqual([]);
  });
});
