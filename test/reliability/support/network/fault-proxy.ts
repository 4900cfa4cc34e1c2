/** A way to a server on which faults strike, one at a time, and pass. */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createLane, type Lane, type Weather } from "./lane.ts";

/** Up: to the server. */
export type Direction = "up" | "down";

export type Fault =
  /** Bytes are lost, and so is the connection when that is over. */
  | { readonly kind: "drop"; readonly direction: Direction }
  /** ms, each way. */
  | { readonly kind: "delay"; readonly ms: number }
  /** 1 KB a second, each way. */
  | { readonly kind: "throttle" }
  /** Nothing gets through, neither bytes nor ends; what was sent comes when it is over, since TCP sends it again. */
  | { readonly kind: "black hole"; readonly direction: Direction | "both" }
  /** RST to both sides of each connection, old or new. */
  | { readonly kind: "reset" }
  /** FIN to one side of each open connection; `hidden`: the other side does not hear that this one then closes. */
  | { readonly kind: "half-close"; readonly towards: Direction; readonly hidden: boolean };

export interface FaultProxy extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  /** When bytes last went on to the server, in ms of `performance.now()`. */
  readonly passedUpAt: number;
  strike(fault: Fault): void;
  /** All goes through again, but for connections that have lost bytes: they are reset. */
  heal(): void;
}

interface Link {
  readonly ends: Readonly<Record<Direction, Socket>>;
  /** By where they lead. */
  readonly lanes: Readonly<Record<Direction, Lane>>;
}

const CLEAR: Weather = { kind: "clear" };
const OPPOSITE = { up: "down", down: "up" } as const;

/** `target`: host:port. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const [host, port] = target.split(":");
  const links = new Set<Link>();
  let fault: Fault | undefined;
  let passedUpAt = performance.now();

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (fault?.kind === "reset") {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
    const onUp = () => {
      passedUpAt = performance.now();
    };
    const link: Link = {
      ends: { up: upstream, down: client },
      lanes: {
        up: createLane(client, upstream, weatherOf(fault, "up"), onUp),
        down: createLane(upstream, client, weatherOf(fault, "down"), () => {}),
      },
    };
    links.add(link);
    for (const socket of [client, upstream]) {
      socket.once("close", () => {
        if (client.destroyed && upstream.destroyed) forget(link);
      });
    }
  });

  function forget(link: Link): void {
    links.delete(link);
    for (const lane of Object.values(link.lanes)) lane.stop();
  }

  function reset(link: Link): void {
    for (const socket of Object.values(link.ends)) socket.resetAndDestroy();
    forget(link);
  }

  function halfClose({ ends, lanes }: Link, towards: Direction, hidden: boolean): void {
    ends[towards].end();
    lanes[towards].turn({ kind: "swallow" });
    if (hidden) lanes[OPPOSITE[towards]].turn({ kind: "endless" });
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${bound.port}`,
    get passedUpAt() {
      return passedUpAt;
    },
    strike(next) {
      fault = next;
      for (const link of [...links]) {
        if (next.kind === "reset") reset(link);
        else if (next.kind === "half-close") halfClose(link, next.towards, next.hidden);
        else for (const to of ["up", "down"] as const) link.lanes[to].turn(weatherOf(next, to));
      }
    },
    heal() {
      fault = undefined;
      for (const link of [...links]) {
        if (link.lanes.up.hasGap || link.lanes.down.hasGap) reset(link);
        else for (const lane of Object.values(link.lanes)) lane.turn(CLEAR);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const link of [...links]) reset(link);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function weatherOf(fault: Fault | undefined, to: Direction): Weather {
  switch (fault?.kind) {
    case "drop":
      return fault.direction === to ? { kind: "swallow" } : CLEAR;
    case "delay":
      return { kind: "delay", ms: fault.ms };
    case "throttle":
      return { kind: "throttle", bytesPerSecond: 1_000 };
    case "black hole":
      return fault.direction === "both" || fault.direction === to ? { kind: "hold" } : CLEAR;
    // These strike connections that are open, and leave new ones alone.
    case "half-close":
    case "reset":
    case undefined:
      return CLEAR;
  }
}
