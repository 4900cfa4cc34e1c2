/** Thousands of acquires that wait in a few sessions. */

import { Client, credentials } from "@grpc/grpc-js";
import { readFields } from "../load/protobuf.ts";
import { acquireCommand, openMessage, SESSION_PATH } from "../load/session-connection.ts";
import { acquireRequest } from "../load/verbs.ts";

/** Commands of one message, and of one session, at most. */
const A_MESSAGE = 1_000;
const A_SESSION = 10_000;
const ANSWERS = 2;

/** Resolves when the server has said the place of each; rejects with the status if it opens no session. */
export async function waitInSessions(address: string, limiter: string, waiters: number): Promise<Disposable> {
  const open: Disposable[] = [];
  for (let placed = 0; placed < waiters; placed += A_SESSION) {
    open.push(await waitInOne(address, limiter, Math.min(A_SESSION, waiters - placed)));
  }
  return {
    [Symbol.dispose]() {
      for (const session of open) session[Symbol.dispose]();
    },
  };
}

async function waitInOne(address: string, limiter: string, waiters: number): Promise<Disposable> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const asIs = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(SESSION_PATH, asIs, asIs);
  const request = acquireRequest({ limiter, key: "" });
  await new Promise<void>((resolve, reject) => {
    let answers = 0;
    call.on("error", reject);
    call.on("data", (message: Buffer) => {
      readFields(message, (field) => {
        if (field === ANSWERS) answers += 1;
      });
      // One place each; later news of a place comes on top, and can only come after all have theirs.
      if (answers >= waiters) resolve();
    });
    call.write(openMessage());
    for (let from = 0; from < waiters; from += A_MESSAGE) {
      const count = Math.min(A_MESSAGE, waiters - from);
      call.write(Buffer.concat(Array.from({ length: count }, (_, i) => acquireCommand(from + i + 1, request))));
    }
  });
  call.on("error", () => {});
  return {
    [Symbol.dispose]() {
      call.cancel();
      client.close();
    },
  };
}
