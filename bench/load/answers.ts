/** What a server answers, byte for byte: what a bare server says, too, when the two are compared. */

import { connectLoad } from "./connection.ts";
import { ACQUIRE, acquireRequest, RELEASE, releaseRequest, TRY_ACQUIRE, tryRequest } from "./verbs.ts";

/** The answer to each path's call. */
export type Answers = Readonly<Record<string, Uint8Array>>;

/** Asks for a permit of the limiter by TryAcquire, gives it back, and asks for it by Acquire. */
export async function answersOfPermit(address: string, limiter: string): Promise<Answers> {
  const { call, close } = await connectCaller(address);
  const subject = { limiter, key: "" };
  const tried = await call(TRY_ACQUIRE, tryRequest(subject));
  const released = await call(RELEASE, releaseRequest(tried));
  const granted = await call(ACQUIRE, acquireRequest(subject));
  close();
  return { [TRY_ACQUIRE]: tried, [RELEASE]: released, [ACQUIRE]: granted };
}

/** Asks for a token of a limiter that has a rate alone. */
export async function answersOfToken(address: string, limiter: string): Promise<Answers> {
  const { call, close } = await connectCaller(address);
  const tried = await call(TRY_ACQUIRE, tryRequest({ limiter, key: "" }));
  close();
  return { [TRY_ACQUIRE]: tried };
}

async function connectCaller(address: string) {
  const connection = await connectLoad(address);
  const call = (path: string, request: Uint8Array) =>
    new Promise<Buffer>((resolve, reject) => {
      const cancel = connection.stream(path, request, {
        message(bytes) {
          const answer = Buffer.from(bytes);
          if (path === ACQUIRE) queueMicrotask(() => cancel());
          resolve(answer);
        },
        ended: () => reject(new Error(`${address} has not answered ${path}`)),
      });
    });
  return { call, close: () => connection.close() };
}
