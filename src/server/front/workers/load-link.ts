/** What the server carries, asked by a thread and answered by the main one. */

import { once } from "node:events";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { ReadLoad, ServerLoad } from "../../load.ts";

type Answer = { readonly load: ServerLoad } | { readonly problem: string };

/** `ask` hands the other end of a link to the main thread. */
export function createRemoteLoad(ask: (port: MessagePort) => void): ReadLoad {
  return async () => {
    const { port1: port, port2 } = new MessageChannel();
    const lost = new AbortController();
    port.on("close", () => lost.abort());
    ask(port2);
    try {
      const [answer] = (await once(port, "message", { signal: lost.signal })) as [Answer];
      if ("problem" in answer) throw new Error(answer.problem);
      return answer.load;
    } finally {
      port.close();
    }
  };
}

/** Answers the other end, once. */
export function serveLoad(read: ReadLoad, port: MessagePort): void {
  const answer = (said: Answer) => port.postMessage(said);
  read().then(
    (load) => answer({ load }),
    (error: Error) => answer({ problem: error.message }),
  );
}
