/** A link between threads of one process. */

import type { MessagePort } from "node:worker_threads";
import type { Carrier } from "./channel.ts";

export function carryOver(port: MessagePort): Carrier {
  return {
    post: (text) => port.postMessage(text),
    onText: (listener) => port.on("message", listener),
    onClose: (listener) => port.on("close", listener),
    close: () => port.close(),
  };
}
