/** Reads something again and again: soon when it has stirred, and now and then when it has not. */

export interface Poll {
  stir(): void;
  close(): void;
}

export interface PollOptions {
  /** What it rejects with is left to the streams of the page, which show that the server is away. */
  readonly read: () => Promise<void>;
  /** ms between two reads at least, and at most. */
  readonly pace: number;
  readonly patience: number;
}

export function createPoll({ read, pace, patience }: PollOptions): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reading = false;
  let stirred = false;
  let closed = false;
  let readAt = Number.NEGATIVE_INFINITY;

  async function run(): Promise<void> {
    clearTimeout(timer);
    reading = true;
    stirred = false;
    readAt = performance.now();
    if (!document.hidden) await read().catch(() => {});
    reading = false;
    if (closed) return;
    timer = setTimeout(run, stirred ? untilNext() : patience);
  }

  function untilNext(): number {
    return Math.max(0, readAt + pace - performance.now());
  }

  void run();
  return {
    stir() {
      if (stirred || closed) return;
      stirred = true;
      if (reading) return;
      clearTimeout(timer);
      timer = setTimeout(run, untilNext());
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
