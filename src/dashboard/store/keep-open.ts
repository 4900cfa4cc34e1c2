/** A watch that is opened anew whenever it ends, as long as the page is looked at. */

/** ms between two attempts: the first, and the most. */
const FIRST_DELAY = 300;
const LONGEST_DELAY = 3_000;
/** ms for which a page that is hidden keeps its streams: a browser has six connections for all its tabs. */
const HIDDEN_FOR = 15_000;

export interface Watch {
  /** Reads one stream to its end. `signal` ends it; `heard` says that it has brought something. */
  readonly read: (signal: AbortSignal, heard: () => void) => Promise<void>;
  /** The stream is over; another is opened. */
  readonly onLost: (error: unknown) => void;
}

export interface OpenWatch {
  /** Ends the stream that is open, and opens another at once: it may be dead without a word. */
  reopen(): void;
  close(): void;
}

export function keepOpen({ read, onLost }: Watch): OpenWatch {
  let stream = new AbortController();
  let wake = () => {};
  let closed = false;
  let hiding: ReturnType<typeof setTimeout> | undefined;

  async function run(): Promise<void> {
    let delay = FIRST_DELAY;
    while (!closed) {
      await shown();
      if (closed) return;
      stream = new AbortController();
      try {
        await read(stream.signal, () => {
          delay = FIRST_DELAY;
        });
        throw new Error("the server has ended the stream");
      } catch (error) {
        if (closed) return;
        onLost(error);
      }
      await pause(delay);
      delay = Math.min(LONGEST_DELAY, delay * 2);
    }
  }

  /** Resolves when the time is over, or something wakes it. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function shown(): Promise<void> {
    while (document.hidden && !closed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  function onVisibility(): void {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => stream.abort(new Error("The page was hidden.")), HIDDEN_FOR);
    else wake();
  }

  document.addEventListener("visibilitychange", onVisibility);
  void run();
  return {
    reopen() {
      stream.abort(new Error("The server does not answer."));
      wake();
    },
    close() {
      closed = true;
      document.removeEventListener("visibilitychange", onVisibility);
      clearTimeout(hiding);
      stream.abort();
      wake();
    },
  };
}
