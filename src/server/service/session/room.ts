/** How many answers have room in one message: each is small, but for the words on a card that it brings. */

import type { SessionAnswer } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";

/** Bytes of words in one message, and a card's more: a client takes 4 MiB, unless it is told otherwise. */
const MOST_WORDS = 1 << 20;
/** A character may take so many bytes. */
const WIDEST = 3;

/** Returns how many of these, `most` at most and one at least. */
export function roomFor(answers: readonly SessionAnswer[], most: number): number {
  const end = Math.min(answers.length, most);
  let words = 0;
  let count = 0;
  while (count < end && words < MOST_WORDS) {
    words += wordsIn(answers[count] as SessionAnswer);
    count += 1;
  }
  return count;
}

/** Bytes at most. */
function wordsIn({ answer: { case: kind, value } }: SessionAnswer): number {
  switch (kind) {
    case "pulled":
    case "finished":
    case "givenBack":
    case "sentBack": {
      const { title = "", description = "", data = "", reason = "", result = "" } = value.card ?? {};
      return WIDEST * (title.length + description.length + data.length + reason.length + result.length);
    }
    default:
      return 0;
  }
}
