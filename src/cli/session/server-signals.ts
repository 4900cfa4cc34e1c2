/** Listens for the signals of `serve` from the first line on: loading the server takes a second on a busy machine. */

import { hearServerSignals, type ServerSignals } from "../../server/signals.ts";

let heard: ServerSignals | undefined;

/** Listens for the server's signals from the first call on. */
export function serverSignals(): ServerSignals {
  heard ??= hearServerSignals();
  return heard;
}

/** Whether these arguments ask to serve. */
export function asksToServe(args: readonly string[]): boolean {
  return args.find((arg, index) => !arg.startsWith("-") && args[index - 1] !== "--address") === "serve";
}
