/** What a server answers in a session with one command in flight, byte for byte. */

import { Client, credentials } from "@grpc/grpc-js";
import { acquireCommand, openMessage, readAnswers, releaseCommand, SESSION_PATH } from "./session-connection.ts";
import { acquireRequest } from "./verbs.ts";

/** The messages that say that the session is open, that a lease is granted, and that it is released. */
export type SessionAnswers = readonly [opened: Buffer, granted: Buffer, released: Buffer];

/** Rejects with the status where no session is opened. */
export async function sessionAnswers(address: string, limiter: string): Promise<SessionAnswers> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const asIs = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(SESSION_PATH, asIs, asIs);
  try {
    return await new Promise<SessionAnswers>((resolve, reject) => {
      const messages: Buffer[] = [];
      call.on("error", reject);
      call.on("data", (message: Buffer) => {
        if (messages.length === 0) {
          call.write(acquireCommand(1, acquireRequest({ limiter, key: "" })));
          messages.push(message);
        }
        readAnswers(message, (_, answer) => {
          messages.push(message);
          if (answer.kind === "granted") call.write(releaseCommand(1, answer.leaseId));
          else resolve(messages as unknown as SessionAnswers);
        });
      });
      call.write(openMessage());
    });
  } finally {
    call.cancel();
    client.close();
  }
}
