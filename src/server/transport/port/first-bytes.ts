/** What a connection says first, before it is known what it speaks. */

import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";

/** µs in which a connection must have said it. */
const TIMEOUT = 10_000_000;

/**
 * Asks `decide` about each of its first pieces until it knows what to do with the connection, and then does that: by then no one else listens
 * to it. A connection that says nothing, or no more, is closed.
 */
export function readFirstBytes(
  socket: Socket,
  clock: Clock,
  decide: (piece: Buffer) => (() => void) | undefined,
): void {
  const onReadable = () => {
    const piece: Buffer | null = socket.read();
    const take = piece === null ? undefined : decide(piece);
    if (take === undefined) return;
    stop();
    take();
  };
  const onSilence = () => socket.destroy();
  const cancelTimeout = clock.schedule(clock.now() + TIMEOUT, false, onSilence);
  const stop = () => {
    cancelTimeout();
    socket.removeListener("readable", onReadable);
    socket.removeListener("end", onSilence);
    socket.removeListener("close", stop);
  };
  socket.on("readable", onReadable);
  socket.once("end", onSilence);
  socket.once("close", stop);
}
