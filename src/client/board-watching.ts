/** Watching a board: what stands on it, then what changes, over as many connections as that takes. */

import type { BoardEvent } from "./board.ts";
import { boardFromWire } from "./board-wire.ts";
import type { Card } from "./card.ts";
import { cardFromWire } from "./card-wire.ts";
import { awaitFirstWord } from "./first-word.ts";
import type { WatchBoardResponse } from "./gen/ggen/backpressure/v1/board_service_pb.ts";
import type { CallOptions } from "./limiters.ts";
import { linkSignals } from "./link.ts";
import type { BoardPorts } from "./ports.ts";
import { sleep } from "./retry.ts";
import type { StreamPlace } from "./streams.ts";

/** ms for which a watch that has told something is taken up again: a server that restarts may take as long. */
const PATIENCE = 30_000;

export async function* watchBoard(
  ports: BoardPorts,
  name: string,
  options: CallOptions = {},
): AsyncGenerator<BoardEvent, void> {
  const { calls, clock, retries, closing } = ports;
  const { signal, unlink } = linkSignals(options.signal, closing);
  const view = createView();
  let attempts = 0;
  /** When the stream was lost, in monotonic ms; `"open"`: it is not; undefined: there was none yet. */
  let lostAt: number | "open" | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      attempts += 1;
      try {
        for await (const message of readStream(ports, { name, afterSequence: view.sequence }, signal)) {
          attempts = 0;
          lostAt = "open";
          const event = view.takeOver(message);
          if (event !== undefined) yield event;
        }
        throw calls.unavailable("it ended the stream");
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const { monotonic } = clock.now();
        if (lostAt === "open") lostAt = monotonic;
        const isPatient = lostAt !== undefined && monotonic - lostAt < PATIENCE;
        const failed = Math.max(1, attempts);
        const delay = isPatient ? retries.patientDelayAfter(error, failed) : retries.delayAfter(error, failed);
        if (delay === undefined) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

/** One call. Leaving its loop ends it. */
async function* readStream(
  { calls, clock, streams }: Pick<BoardPorts, "calls" | "clock" | "streams">,
  { name, afterSequence }: { readonly name: string; readonly afterSequence: bigint },
  until: AbortSignal,
): AsyncGenerator<WatchBoardResponse, void> {
  const { signal, abort, unlink } = linkSignals(until);
  let place: StreamPlace | undefined;
  try {
    place = streams.take();
    if (place.ready !== undefined) await place.ready;
    yield* awaitFirstWord({ calls, clock }, calls.board.watchBoard({ name, afterSequence }, { signal }));
  } catch (thrown) {
    throw calls.toError(thrown);
  } finally {
    // Leaving the loop would not cancel the call.
    abort();
    unlink();
    place?.leave();
  }
}

/** The board as it stands after what was heard. */
function createView() {
  const cards = new Map<string, Card>();
  let sequence = 0n;
  let news = noNews("changes");

  return {
    /** What to go on after; 0: nothing is known. */
    get sequence() {
      return sequence;
    },

    /** What is too much for one message comes in several, and is told once it is whole; what only a newer server has is not. */
    takeOver({ sequence: reached, event }: WatchBoardResponse): BoardEvent | undefined {
      if (event.case === undefined) return undefined;
      if (event.case === "snapshot") {
        cards.clear();
        news = noNews("snapshot");
      }
      for (const card of event.value.cards.map(cardFromWire)) {
        cards.set(card.id, card);
        news.removed.delete(card.id);
        // What changed again is told where it last did.
        news.changed.delete(card.id);
        news.changed.set(card.id, card);
      }
      for (const id of event.case === "changes" ? event.value.removedCardIds : []) {
        cards.delete(id);
        news.changed.delete(id);
        news.removed.add(id);
      }
      sequence = reached;
      if (reached < (event.value.board?.status?.sequence ?? 0n)) return undefined;
      const { kind, changed, removed } = news;
      news = noNews("changes");
      return {
        kind,
        sequence: Number(sequence),
        board: boardFromWire(event.value.board),
        changed: [...changed.values()],
        removed: [...removed],
        cards,
      };
    },
  };
}

/** What was heard and not told yet. */
function noNews(kind: BoardEvent["kind"]) {
  return { kind, changed: new Map<string, Card>(), removed: new Set<string>() };
}
