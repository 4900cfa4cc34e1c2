/** A way to a server that can be cut, closed, go silent, or stall. */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** What comes from the client, or from the server. */
export type Direction = "requests" | "answers";

export interface TcpProxy {
  /** host:port */
  readonly address: string;
  /** Connections that are open. */
  readonly connections: number;
  /** Cuts all connections. */
  cut(): void;
  /** Resets all connections. */
  reset(): void;
  /** Swallows everything from now on, the end of a connection too, both ways, on connections old and new. */
  silence(): void;
  /** Keeps back everything from now on, the end of a connection too, both ways or one, until it is healed. */
  stall(direction?: Direction): void;
  /** Resolves when something is kept back. */
  untilKept(): Promise<void>;
  /** Cuts all connections and refuses new ones. Resolves when the next is refused. */
  refuse(): Promise<void>;
  /** Lets everything through again, but over connections that were silent. Resolves when the next is let through. */
  heal(): Promise<void>;
  /** Leads new connections to another server. */
  leadTo(target: string): void;
}

/** `target`: host:port. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let isSilent = false;
  const stalled = new Set<Direction>();
  /** What was kept back, in its order. */
  let kept: (() => void)[] = [];
  let onKept = () => {};
  let leadsTo = target;

  function forward(from: Socket, to: Socket, direction: Direction): void {
    sockets.add(from);
    if (isSilent) silent.add(from);
    from.on("data", (chunk) => {
      if (!silent.has(from)) pass(direction, () => to.write(chunk));
    });
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      if (!silent.has(from)) pass(direction, () => to.destroySoon());
    });
  }

  function pass(direction: Direction, what: () => void): void {
    if (!stalled.has(direction)) {
      what();
      return;
    }
    kept.push(what);
    onKept();
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  const server = createServer((client) => {
    const [host, port] = leadsTo.split(":");
    const upstream = connect(Number(port), host);
    forward(client, upstream, "requests");
    forward(upstream, client, "answers");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    cut();
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${bound.port}`,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    silence() {
      isSilent = true;
      for (const socket of sockets) silent.add(socket);
    },
    stall(direction) {
      for (const one of direction === undefined ? (["requests", "answers"] as const) : [direction]) stalled.add(one);
    },
    untilKept() {
      if (kept.length > 0) return Promise.resolve();
      return new Promise((resolve) => {
        onKept = resolve;
      });
    },
    async refuse() {
      cut();
      server.close();
      await once(server, "close");
    },
    async heal() {
      isSilent = false;
      const late = kept;
      kept = [];
      stalled.clear();
      for (const what of late) what();
      if (server.listening) return;
      server.listen(bound.port, "127.0.0.1");
      await once(server, "listening");
    },
    leadTo(other) {
      leadsTo = other;
    },
  };
}
