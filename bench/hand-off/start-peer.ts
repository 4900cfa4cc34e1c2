/** A peer, as the benchmark orders it about. */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PeerNews, PeerOrder } from "./peer.ts";

export interface Peer extends Disposable {
  order(order: PeerOrder): void;
  /** Resolves with the next news of this kind. */
  hears<K extends PeerNews["kind"]>(kind: K): Promise<Extract<PeerNews, { readonly kind: K }>>;
}

const PEER = fileURLToPath(new URL("peer.ts", import.meta.url));

/** Resolves when its session is open. */
export async function startPeer(address: string, limiter: string): Promise<Peer> {
  const child = fork(PEER, [address, limiter]);
  const hears: Peer["hears"] = (kind) =>
    new Promise((resolve, reject) => {
      const settle = (news: PeerNews) => {
        if (news.kind !== kind) return;
        child.off("message", settle).off("exit", fail);
        resolve(news as never);
      };
      const fail = () => reject(new Error("a peer has ended"));
      child.on("message", settle).once("exit", fail);
    });
  await hears("ready");
  return { order: (order) => void child.send(order), hears, [Symbol.dispose]: () => void child.kill() };
}
