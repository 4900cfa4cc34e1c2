/** Counting holds in and out, from outside the server and its clients: the process that counts, and how clients reach it. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";

/** What was counted of one instance, in the order of `INSTANCES`. */
export interface Count {
  readonly holds: number;
  /** The most permits that were held at once. */
  readonly most: number;
}

export interface Counter extends AsyncDisposable {
  /** The path of its socket. */
  readonly path: string;
  take(): Promise<readonly Count[]>;
}

/** A record on the socket: kind, permits, instance, hold, and until when it is held at the latest (µs). */
export const RECORD = 16;
export const ENTER = 1;
const LEAVE = 2;
/** The answer to a leave: the hold. */
export const ANSWER = 4;

/** `folder`: where its socket may stand. */
export async function startCounter(folder: string): Promise<Counter> {
  const path = `${folder}/counter.sock`;
  const child = fork(fileURLToPath(new URL("counter-process.ts", import.meta.url)), [path], { execArgv: [] });
  const exited = once(child, "exit");
  const ended = exited.then(() => {
    throw new Error("the counter has ended");
  });
  ended.catch(() => {});
  await Promise.race([once(child, "message"), ended]);
  return {
    path,
    async take() {
      const answered = once(child, "message");
      child.send("take");
      const [counts] = (await Promise.race([answered, ended])) as [readonly Count[]];
      return counts;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

export interface CounterClient extends Disposable {
  /** Counts a hold in; returns its number. */
  enter(hold: { readonly instance: number; readonly permits: number; readonly until: number }): number;
  /** Resolves when the counter has counted it out: not before may the permits be given back. */
  leave(hold: number): Promise<void>;
}

export async function connectCounter(path: string): Promise<CounterClient> {
  const socket = connect(path);
  await once(socket, "connect");
  const leaving = new Map<number, () => void>();
  let rest: Buffer = Buffer.alloc(0);
  let holds = 0;
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.byteLength >= ANSWER; rest = rest.subarray(ANSWER)) {
      const hold = rest.readUInt32LE(0);
      leaving.get(hold)?.();
      leaving.delete(hold);
    }
  });
  return {
    enter({ instance, permits, until }) {
      holds += 1;
      const record = Buffer.alloc(RECORD);
      record.writeUInt8(ENTER, 0);
      record.writeUInt8(permits, 1);
      record.writeUInt16LE(instance, 2);
      record.writeUInt32LE(holds, 4);
      record.writeDoubleLE(until, 8);
      socket.write(record);
      return holds;
    },
    leave(hold) {
      const record = Buffer.alloc(RECORD);
      record.writeUInt8(LEAVE, 0);
      record.writeUInt32LE(hold, 4);
      socket.write(record);
      const { promise, resolve } = Promise.withResolvers<void>();
      leaving.set(hold, resolve);
      return promise;
    },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}
