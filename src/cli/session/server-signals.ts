/** Listens for the signals of `serve` from the first line on: loading the server takes a second on a busy machine. */

import { hearServerSignals, type ServerSignals } from "../../server/signals.ts";

let heard: ServerSignals | undefined;

/** Listens for the server's signals from the first call on. */
export function serverSignals(): ServerSignals {
  heard ??= hearServerSignals();
  return heard;
}

/** Options of the whole program that have a value. */
const WITH_VALUE: ReadonlySet<string> = new Set([
  "--address",
  "--ca-file",
  "--cert-file",
  "--key-file",
  "--server-name",
  "--token-file",
]);

/** Whether these arguments ask to serve. */
export function asksToServe(args: readonly string[]): boolean {
  return args.find((arg, index) => !arg.startsWith("-") && !WITH_VALUE.has(args[index - 1] ?? "")) === "serve";
}
