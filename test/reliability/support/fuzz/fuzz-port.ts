/** Says one script after another to a port, many connections at once, as fast as it takes them. */

import { connect } from "node:net";

export interface FuzzOptions {
  readonly port: number;
  readonly connections: number;
  readonly script: (connection: number) => { readonly bytes: Buffer; readonly isAnswered: boolean };
  /** Asked before each connection. */
  readonly isAlive: () => boolean;
}

export interface FuzzResult {
  /** Connections whose whole script the server had read when it answered the ping at the end. */
  readonly answered: number;
  /** Those that it should have answered, and ended instead or left alone. */
  readonly unanswered: readonly number[];
  /** Those that it had not ended after `PATIENCE` though they had ended their side. */
  readonly left: readonly number[];
}

const AT_ONCE = 48;
/** ms. */
const PATIENCE = 10_000;
/** A ping's answer holds its own 8 bytes. */
const LAST_WORDS = Buffer.from("the end.");
const PING = Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), LAST_WORDS]);

export async function fuzzPort({ port, connections, script, isAlive }: FuzzOptions): Promise<FuzzResult> {
  let next = 0;
  let answered = 0;
  const unanswered: number[] = [];
  const left: number[] = [];
  const work = async () => {
    while (next < connections && isAlive()) {
      const connection = next;
      next += 1;
      const { bytes, isAnswered } = script(connection);
      const end = await talk(port, isAnswered ? Buffer.concat([bytes, PING]) : bytes, isAnswered);
      if (end === "answered") answered += 1;
      else if (end === "left") left.push(connection);
      else if (isAnswered) unanswered.push(connection);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { answered, unanswered, left };
}

/** A connection whose last frame may be half ends its side and waits for the server to end the other. */
function talk(port: number, bytes: Buffer, waits: boolean): Promise<"answered" | "closed" | "left"> {
  const { promise, resolve } = Promise.withResolvers<"answered" | "closed" | "left">();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const timeout = setTimeout(() => over("left"), PATIENCE);
  const over = (end: "answered" | "closed" | "left") => {
    clearTimeout(timeout);
    resolve(end);
    socket.resetAndDestroy();
  };
  let tail: Buffer = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("close", () => over("closed"));
  socket.on("data", (chunk: Buffer) => {
    if (!waits) return;
    if (Buffer.concat([tail, chunk]).includes(LAST_WORDS)) over("answered");
    else tail = chunk.subarray(-LAST_WORDS.length);
  });
  if (waits) socket.write(bytes);
  else socket.end(bytes);
  return promise;
}
