import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { createTerminal, type Sink } from "../../../src/cli/session/terminal.ts";

interface FakeSink extends EventEmitter {
  written: string;
}

function createSink(tty?: { readonly columns: number; readonly rows: number }): FakeSink & Sink {
  const sink = Object.assign(new EventEmitter(), {
    written: "",
    isTTY: tty !== undefined,
    ...tty,
    write(text: string) {
      sink.written += text;
      return true;
    },
  });
  return sink as unknown as FakeSink & Sink;
}

const SIZE = { columns: 20, rows: 3 };

describe("a terminal", () => {
  it("rewrites its status in place, no wider than it is, and takes it away for a line", () => {
    const stderr = createSink(SIZE);
    const terminal = createTerminal({ stdout: createSink(), stderr, dumb: false });
    terminal.showStatus("waiting for gpu: 3 ahead");
    terminal.showStatus("next");
    terminal.showStatus("next");
    terminal.warn("granted");
    expect(stderr.written).toBe("\r\u001b[Kwaiting for gpu: 3…\r\u001b[Knext\r\u001b[Kgranted\n");
  });

  it.each([
    ["is none", undefined, false],
    ["is dumb", SIZE, true],
  ])("shows no status where it %s", (_, size, dumb) => {
    const stderr = createSink(size);
    const terminal = createTerminal({ stdout: createSink(size), stderr, dumb });
    terminal.showStatus("waiting");
    terminal.warn("granted");
    expect(stderr.written).toBe("granted\n");
    expect(terminal.size()).toBeUndefined();
  });

  it("draws on a screen of its own, as much as there is room for, and gives the old one back", () => {
    const stdout = createSink(SIZE);
    const terminal = createTerminal({ stdout, stderr: createSink(), dumb: false });
    terminal.redraw(["one", "two", "three"]);
    terminal.redraw(["four"]);
    terminal.restore();
    terminal.restore();
    expect(stdout.written).toBe(
      "\u001b[?1049h\u001b[?25l\u001b[Hone\u001b[K\ntwo\u001b[K\n\u001b[J\u001b[Hfour\u001b[K\n\u001b[J\u001b[?25h\u001b[?1049l",
    );
  });

  it("prints a line as one line, whatever is in it", () => {
    const stdout = createSink();
    createTerminal({ stdout, stderr: createSink(), dumb: false }).print("a\nb\u001b[2J");
    expect(stdout.written).toBe("a\\u000ab\\u001b[2J\n");
  });

  it("says when its output is no longer read", () => {
    const stdout = createSink();
    const { closed } = createTerminal({ stdout, stderr: createSink(), dumb: false });
    expect(closed.aborted).toBe(false);
    stdout.emit("error", new Error("EPIPE"));
    expect(closed.aborted).toBe(true);
  });
});
