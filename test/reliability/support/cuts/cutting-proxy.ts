/** A way to a server that breaks off after so many bytes, in the midst of whatever they are, again and again. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Dice } from "../../../server/machine/dice.ts";

export interface CuttingProxy extends AsyncDisposable {
  /** host:port */
  readonly address: string;
  /** How many connections it has broken. */
  readonly cuts: number;
  /** Lets all connections live from now on, those that are open as well. */
  heal(): void;
}

/** The most bytes that a connection carries each way before it breaks: about as many as some hundred commands take. */
const MOST_BYTES = 6_000;

/** `target`: host:port. */
export async function startCuttingProxy(target: string, dice: Dice): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let isHealed = false;
  let cuts = 0;

  const server = createServer({ noDelay: true }, (client) => {
    const [host, port] = target.split(":");
    const upstream = connect({ host, port: Number(port), noDelay: true });
    const ends = [client, upstream] as const;
    const isReset = dice.chance(50);

    function cut(): void {
      if (client.destroyed || upstream.destroyed) return;
      cuts += 1;
      for (const end of ends) {
        if (isReset) end.resetAndDestroy();
        else end.destroy();
      }
    }

    function forward(from: Socket, to: Socket): void {
      let left = 1 + dice.roll(MOST_BYTES);
      sockets.add(from);
      from.on("data", (chunk) => {
        if (isHealed || chunk.length < left) {
          left -= chunk.length;
          to.write(chunk);
        } else {
          // The other end reads what has come through before it finds the connection gone.
          to.write(chunk.subarray(0, left), () => cut());
        }
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroySoon();
      });
    }

    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    heal() {
      isHealed = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
