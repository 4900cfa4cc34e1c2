/** Standard output and standard error, one line at a time. */

import type { WriteStream } from "node:tty";
import { printable, truncate } from "../text/width.ts";

/** What a terminal needs of a stream. */
export type Sink = Pick<NodeJS.WriteStream, "write" | "on"> & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

export interface Terminal {
  /** Whether standard output is a terminal, and how large it is now. */
  size(): { readonly columns: number; readonly rows: number } | undefined;
  /** Whether `showStatus` shows anything: standard error is a terminal. */
  readonly showsStatus: boolean;
  /** Aborts when standard output has lost its reader. */
  readonly closed: AbortSignal;
  /** A line for standard output. */
  print(line: string): void;
  /** A line for standard error. */
  warn(line: string): void;
  /** A line on standard error that the next status, or line, replaces; empty: none. */
  showStatus(text: string): void;
  /** Replaces what stands on the screen by these lines, as many as there is room for. */
  redraw(lines: readonly string[]): void;
  /** Gives the screen back as it was before the first `redraw`. */
  restore(): void;
}

export interface TerminalOptions {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Whether it can do no more than print line after line. */
  readonly dumb: boolean;
}

const ERASE_LINE = "\r\u001b[K";
const ENTER_SCREEN = "\u001b[?1049h\u001b[?25l";
const LEAVE_SCREEN = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const ERASE_TO_LINE_END = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/** Of a terminal that does not say how large it is. */
const USUAL = { columns: 80, rows: 24 };

export function createTerminal({ stdout, stderr, dumb }: TerminalOptions): Terminal {
  const closed = new AbortController();
  const showsStatus = stderr.isTTY === true && !dumb;
  let status = "";
  let ownsScreen = false;

  stdout.on("error", () => closed.abort());
  // No reader is left.
  stderr.on("error", () => {});

  function setStatus(text: string): void {
    if (!showsStatus || text === status) return;
    const room = (stderr.columns || USUAL.columns) - 1;
    stderr.write(ERASE_LINE + truncate(printable(text), room));
    status = text;
  }

  function print(sink: Sink, line: string): void {
    setStatus("");
    sink.write(`${printable(line)}\n`);
  }

  return {
    size() {
      if (!stdout.isTTY || dumb) return undefined;
      // A terminal that was never given a size says 0.
      return { columns: stdout.columns || USUAL.columns, rows: stdout.rows || USUAL.rows };
    },
    showsStatus,
    closed: closed.signal,
    print: (line) => print(stdout, line),
    warn: (line) => print(stderr, line),
    showStatus: setStatus,
    redraw(lines) {
      if (!ownsScreen) stdout.write(ENTER_SCREEN);
      ownsScreen = true;
      const room = (stdout.rows || USUAL.rows) - 1;
      const shown = lines.slice(0, room).map((line) => `${printable(line)}${ERASE_TO_LINE_END}\n`);
      stdout.write(HOME + shown.join("") + ERASE_BELOW);
    },
    restore() {
      if (ownsScreen) stdout.write(LEAVE_SCREEN);
      ownsScreen = false;
    },
  };
}
