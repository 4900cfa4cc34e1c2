/** One direction of a connection: what comes in leaves in its order, as the weather has it. */

import type { Socket } from "node:net";

export type Weather =
  | { readonly kind: "clear" }
  /** Kept until it is clear, the end of the connection too: TCP has sent it again. */
  | { readonly kind: "hold" }
  /** Gone for good, the end of the connection too. */
  | { readonly kind: "swallow" }
  /** Bytes leave, the end of the connection is kept until it is clear. */
  | { readonly kind: "endless" }
  /** ms that each byte is on its way. */
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number };

export interface Lane {
  turn(weather: Weather): void;
  /** Whether something was swallowed: what comes later would have a gap before it. */
  readonly hasGap: boolean;
  stop(): void;
}

type Item =
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly due: number }
  | { readonly kind: "end" | "reset"; readonly due: number };

/** Bytes that leave at once over a slow line. */
const SLICE = 64;

/** `onBytes` is called whenever bytes have left. */
export function createLane(from: Socket, to: Socket, weather: Weather, onBytes: () => void): Lane {
  const queue: Item[] = [];
  let current = weather;
  let hasGap = false;
  let timer: NodeJS.Timeout | undefined;
  let mayLeaveAt = 0;

  function push(item: { readonly kind: "bytes"; readonly bytes: Buffer } | { readonly kind: "end" | "reset" }): void {
    if (current.kind === "swallow") {
      hasGap = true;
      return;
    }
    queue.push({ ...item, due: performance.now() + (current.kind === "delay" ? current.ms : 0) });
    pump();
  }

  /** Lets out what may leave now, and comes back for the rest. */
  function pump(): void {
    clearTimeout(timer);
    for (let [head] = queue; head !== undefined; [head] = queue) {
      if (current.kind === "hold" || (current.kind === "endless" && head.kind !== "bytes")) return;
      const wait = Math.max(head.due, mayLeaveAt) - performance.now();
      if (wait > 0) {
        timer = setTimeout(pump, Math.ceil(wait));
        return;
      }
      queue.shift();
      if (head.kind === "bytes") letOut(head.bytes, head.due);
      else if (head.kind === "end") to.end();
      else to.resetAndDestroy();
    }
  }

  function letOut(bytes: Buffer, due: number): void {
    const slice = current.kind === "throttle" ? bytes.subarray(0, SLICE) : bytes;
    if (current.kind === "throttle") mayLeaveAt = performance.now() + (slice.length * 1_000) / current.bytesPerSecond;
    if (slice.length < bytes.length) queue.unshift({ kind: "bytes", bytes: bytes.subarray(slice.length), due });
    if (!to.writable) return;
    to.write(slice);
    onBytes();
  }

  from.on("data", (bytes: Buffer) => push({ kind: "bytes", bytes }));
  from.on("end", () => push({ kind: "end" }));
  from.on("error", () => push({ kind: "reset" }));
  return {
    turn(next) {
      current = next;
      if (next.kind === "swallow" && queue.length > 0) {
        hasGap = true;
        queue.length = 0;
      }
      if (next.kind !== "throttle") mayLeaveAt = 0;
      pump();
    },
    get hasGap() {
      return hasGap;
    },
    stop() {
      clearTimeout(timer);
      queue.length = 0;
    },
  };
}
