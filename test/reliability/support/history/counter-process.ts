/** The counter: each hold counts itself in once it is heard of, and out before it is given back. See `counter.ts`. */

import "../../../support/end-with-parent.ts";
import { createServer, type Socket } from "node:net";
import { ANSWER, type Count, ENTER, RECORD } from "./counter.ts";
import { micros } from "./history.ts";
import { INSTANCES } from "./limiters.ts";

interface Hold {
  readonly permits: number;
  /** µs: its time runs out then, whether it is counted out or not. */
  readonly until: number;
}

/** The present holds of each instance. */
const holding = INSTANCES.map(() => new Set<Hold>());
const counts: { holds: number; most: number }[] = INSTANCES.map(() => ({ holds: 0, most: 0 }));

const server = createServer((socket) => {
  const own = new Map<number, { readonly hold: Hold; readonly among: Set<Hold> }>();
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (; rest.byteLength - at >= RECORD; at += RECORD) {
      const hold = rest.readUInt32LE(at + 4);
      if (rest.readUInt8(at) === ENTER) enter(rest.subarray(at, at + RECORD), hold);
      else leave(socket, hold);
    }
    rest = rest.subarray(at);
  });

  function enter(record: Buffer, number: number): void {
    const instance = record.readUInt16LE(2);
    const among = holding[instance];
    const count = counts[instance];
    if (among === undefined || count === undefined) throw new Error(`there is no instance ${instance}`);
    const hold = { permits: record.readUInt8(1), until: record.readDoubleLE(8) };
    own.set(number, { hold, among });
    among.add(hold);
    count.holds += 1;
    const now = micros();
    let permits = 0;
    for (const other of among) {
      if (other.until <= now) among.delete(other);
      else permits += other.permits;
    }
    count.most = Math.max(count.most, permits);
  }

  function leave(to: Socket, number: number): void {
    const entry = own.get(number);
    if (entry === undefined) throw new Error(`hold ${number} was not counted in`);
    entry.among.delete(entry.hold);
    own.delete(number);
    const answer = Buffer.alloc(ANSWER);
    answer.writeUInt32LE(number);
    to.write(answer);
  }
});

process.on("message", () => process.send?.(counts satisfies readonly Count[]));
const [path = ""] = process.argv.slice(2);
server.listen(path, () => process.send?.("ready"));
