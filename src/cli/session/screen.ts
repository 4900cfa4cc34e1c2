/** A screen of its own on a terminal, of which only the lines are written that have changed. */

import type { WriteStream } from "node:tty";
import { printable, textWidth, truncate } from "../text/width.ts";

/** How a line looks, where colours are wanted; what it says never depends on it. */
export type Tone = "plain" | "head" | "selected" | "alarm" | "warning" | "faint";

export interface Line {
  readonly text: string;
  readonly tone: Tone;
}

export interface Screen extends Disposable {
  readonly size: { readonly columns: number; readonly rows: number };
  /** Shows these lines from the top, as many as there is room for. */
  draw(lines: readonly Line[]): void;
}

export type ScreenSink = Pick<WriteStream, "write" | "on" | "off" | "columns" | "rows">;

export interface ScreenOptions {
  readonly sink: ScreenSink;
  readonly colours: boolean;
  readonly onResize: () => void;
}

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[2J";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const ERASE_ALL = "\u001b[2J";
const ERASE_LINE = "\u001b[2K";
const RESET = "\u001b[0m";
const TONES: Readonly<Record<Tone, string>> = {
  plain: "",
  head: "\u001b[1m",
  selected: "\u001b[7m",
  alarm: "\u001b[1;31m",
  warning: "\u001b[33m",
  faint: "\u001b[2m",
};
/** Of a terminal that does not say how large it is. */
const USUAL = { columns: 80, rows: 24 };

/** Takes the terminal over until it is disposed of, or the process exits. */
export function openScreen({ sink, colours, onResize }: ScreenOptions): Screen {
  let shown: readonly string[] = [];
  let open = true;

  const size = () => ({ columns: sink.columns || USUAL.columns, rows: sink.rows || USUAL.rows });

  function resized(): void {
    // What a terminal makes of its lines when it is resized is its own affair.
    sink.write(ERASE_ALL);
    shown = [];
    onResize();
  }

  function leave(): void {
    if (!open) return;
    open = false;
    sink.off("resize", resized);
    process.off("exit", leave);
    sink.write(LEAVE);
  }

  function rendered({ text, tone }: Line, columns: number): string {
    const cut = truncate(printable(text), columns);
    const style = colours ? TONES[tone] : "";
    if (style === "") return cut;
    const filled = tone === "selected" ? cut + " ".repeat(columns - textWidth(cut)) : cut;
    return `${style}${filled}${RESET}`;
  }

  sink.on("resize", resized);
  process.on("exit", leave);
  sink.write(ENTER);
  return {
    get size() {
      return size();
    },
    draw(lines) {
      if (!open) return;
      const { columns, rows } = size();
      const next = lines.slice(0, rows).map((line) => rendered(line, columns));
      let written = "";
      for (let row = 0; row < Math.max(next.length, shown.length); row++) {
        const text = next[row] ?? "";
        if (text !== (shown[row] ?? "")) written += `\u001b[${row + 1};1H${ERASE_LINE}${text}`;
      }
      shown = next;
      if (written !== "") sink.write(written);
    },
    [Symbol.dispose]: leave,
  };
}
