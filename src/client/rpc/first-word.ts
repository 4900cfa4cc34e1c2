/** Streams that are watched: the server says at once what there is, so its first word is waited for with a bound. */

import type { Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import { within } from "./within.ts";

/** Reads the stream; throws a `ServerUnavailableError` if it says nothing within the client's `answerWithin`. */
export async function* awaitFirstWord<T>(
  { calls, clock }: { readonly calls: Pick<Calls, "answerWithin" | "heard" | "unavailable">; readonly clock: Clock },
  stream: AsyncIterable<T>,
): AsyncGenerator<T, void> {
  const { answerWithin } = calls;
  const iterator = stream[Symbol.asyncIterator]();
  const first = await within(clock, answerWithin, iterator.next(), () => {
    throw calls.unavailable(`it has said nothing within ${answerWithin} ms`);
  });
  if (first.done === true) return;
  calls.heard();
  yield first.value;
  yield* { [Symbol.asyncIterator]: () => iterator };
}
