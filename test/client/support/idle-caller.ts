/**
 * A process whose connection goes silent while no call is open on it: `node idle-caller.ts http://host:port`, with IPC. It
 * says "idle", goes on when it is sent anything, and says which calls were answered. Then it expects to lose its
 * connection, calls once more, and ends.
 */

import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { setTimeout } from "node:timers/promises";
import { createSystemClock } from "../../../src/client/rpc/clock.ts";
import { createConnectionPool } from "../../../src/client/transport/connection-pool.ts";

const [origin = ""] = process.argv.slice(2);
const pings = { pingInterval: 20, pingTimeout: 1000 };
const pool = createConnectionPool({ clock: createSystemClock(), origin, ...pings, maxStreams: 100 });
const answered: string[] = [];

/** Resolves, when the call was answered, with the connection that it was on. */
async function call(name: string): Promise<ClientHttp2Session> {
  const stream = await pool.request("POST", "/", {}, {});
  const session = stream.session as ClientHttp2Session;
  await once(stream.end().resume(), "end");
  answered.push(name);
  return session;
}

/** Calls as soon as the connection is given up, in the turn of the loop in which others have not heard of it yet. */
function callAfter(lost: ClientHttp2Session, name: string): void {
  if (lost.destroyed || lost.closed) void call(name);
  else setImmediate(callAfter, lost, name);
}

// An idle connection keeps no process; this does, for as long as there is a parent to talk to.
process.once("disconnect", () => process.exit());
const idle = await call("first");
// A call after so long makes sure of the connection first.
await setTimeout(2 * pings.pingInterval);
process.send?.("idle");
await once(process, "message");
const checking = call("checking");
callAfter(idle, "meanwhile");
await checking;
// On the same connection, it is answered after the one before it.
const session = await call("after");
const lost = new Promise((resolve) => session.once("close", resolve));
process.send?.(answered.toSorted());
await lost;
await call("last");
process.exit();
