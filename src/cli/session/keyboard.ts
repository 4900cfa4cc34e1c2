/** Keys as they are pressed, without Enter and without an echo. */

import type { ReadStream } from "node:tty";
import type { Clock } from "../../client/rpc/clock.ts";
import { type Key, parseKeys } from "../text/keys.ts";

/** What a keyboard needs of standard input. */
export type KeySource = Pick<ReadStream, "setRawMode" | "setEncoding" | "resume" | "pause" | "on" | "off">;

export interface KeyboardOptions {
  readonly source: KeySource;
  readonly clock: Clock;
  readonly onKey: (key: Key) => void;
  /** Called when no key can come any more: the terminal is gone. */
  readonly onEnd: () => void;
}

/** ms after which an Escape is the key, and no beginning of a sequence. */
const ESCAPE_DELAY = 50;

/** Reads keys until it is disposed of, which gives the terminal back as it was. */
export function openKeyboard({ source, clock, onKey, onEnd }: KeyboardOptions): Disposable {
  let rest = "";
  let cancel = () => {};

  function onData(text: string): void {
    cancel();
    const parsed = parseKeys(rest + text);
    rest = parsed.rest;
    if (rest !== "") cancel = clock.schedule(ESCAPE_DELAY, takeEscape);
    for (const key of parsed.keys) onKey(key);
  }

  function takeEscape(): void {
    rest = "";
    onKey({ kind: "escape" });
  }

  source.setRawMode(true);
  source.setEncoding("utf8");
  source.on("data", onData);
  source.on("end", onEnd);
  source.on("error", onEnd);
  source.resume();
  return {
    [Symbol.dispose]() {
      cancel();
      source.off("data", onData);
      source.off("end", onEnd);
      source.off("error", onEnd);
      source.setRawMode(false);
      source.pause();
    },
  };
}
