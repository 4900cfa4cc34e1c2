/** Refuses what a unit test must not need: connections and processes. The names of folders in vitest.config.ts say where such tests go. */

import { ChildProcess } from "node:child_process";
import { Server, Socket } from "node:net";

function refuse(what: string): never {
  throw new Error(`a unit test ${what}: put it into a folder named sockets or processes (see vitest.config.ts)`);
}

Server.prototype.listen = () => refuse("listens on a port");
Socket.prototype.connect = () => refuse("opens a connection");
// Not in the types of Node: both spawn and fork come here.
Object.assign(ChildProcess.prototype, { spawn: () => refuse("starts a process") });
