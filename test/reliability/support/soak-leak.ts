/**
 * Imported into a server that shall leak (`node --import`): 4 KB a call, and a timer and a descriptor a connection, as
 * code that forgets to clean up does.
 */

import { subscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { openSync } from "node:fs";

const kept: string[][] = [];
const { emit } = EventEmitter.prototype;

EventEmitter.prototype.emit = function emitAndKeep(this: EventEmitter, name: string | symbol, ...values: unknown[]) {
  if (name === "stream") kept.push(new Array<string>(512).fill("leaked"));
  return emit.call(this, name, ...values);
};

subscribe("net.server.socket", () => {
  openSync("/dev/null", "r");
  setInterval(() => {}, 3_600_000);
});
