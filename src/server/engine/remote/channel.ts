/**
 * One side of a link: all that is said within a turn of the event loop leaves as one text. Nothing waits for a timer, so an idle
 * link adds no latency, and the busier a link is the more share a text.
 *
 * JSON costs half of what structured clone does for the commands and answers of the hot path, and crosses a socket as well.
 */

/** What carries texts: in order, each once, until it closes. */
export interface Carrier {
  post(text: string): void;
  /** The one listener for texts of the other side. */
  onText(listener: (text: string) => void): void;
  /** The one listener that is called once, when either side has closed it, or lost it. */
  onClose(listener: () => void): void;
  close(): void;
}

export interface Channel<O> {
  /** Says something with all else of this turn. After the end it does nothing. */
  say(message: O): void;
  close(): void;
}

export interface ChannelOptions<I> {
  readonly carrier: Carrier;
  readonly hear: (message: I) => void;
  /** Called once, when the link is closed by the other side, lost, or given up since the other side does not read. */
  readonly onLost: (why: LossReason) => void;
  /** Characters that may have been posted and not read; beyond, the link is given up. */
  readonly maxUnread?: number;
}

/** `unread`: the other side was so far behind that it was given up. */
export type LossReason = "closed" | "unread";

/** What crosses the carrier. */
interface Parcel<T> {
  /** Texts that the sender has read so far: what of the other's is not counted here is on its way, or waits to be read. */
  readonly read: number;
  readonly said: readonly T[];
}

/** Characters: some 200,000 answers. A front that is so far behind has hung. */
const MAX_UNREAD = 64 << 20;
/** Characters after which it is said that they were read, though there is nothing else to say. */
const SAY_READ_AFTER = 1 << 20;

export function createChannel<I, O>(options: ChannelOptions<I>): Channel<O> {
  const { carrier, hear, onLost, maxUnread = MAX_UNREAD } = options;
  let said: O[] = [];
  let flushing = false;
  let over = false;
  /** The lengths of texts that were posted and not read, in order. */
  const posted: number[] = [];
  let unread = 0;
  /** Texts of the other side that have left `posted` there. */
  let settled = 0;
  let read = 0;
  let readUnsaid = 0;

  function flush(): void {
    flushing = false;
    if (over) return;
    const text = JSON.stringify({ read, said } satisfies Parcel<O>);
    said = [];
    readUnsaid = 0;
    posted.push(text.length);
    unread += text.length;
    carrier.post(text);
    if (unread > maxUnread) end("unread");
  }

  function flushSoon(): void {
    if (flushing) return;
    flushing = true;
    setImmediate(flush);
  }

  function end(why: LossReason): void {
    if (over) return;
    over = true;
    said = [];
    carrier.close();
    onLost(why);
  }

  carrier.onText((text) => {
    if (over) return;
    const parcel = JSON.parse(text) as Parcel<I>;
    read += 1;
    readUnsaid += text.length;
    while (settled < parcel.read) {
      unread -= posted.shift() ?? 0;
      settled += 1;
    }
    for (const message of parcel.said) hear(message);
    if (readUnsaid >= SAY_READ_AFTER) flushSoon();
  });
  carrier.onClose(() => end("closed"));

  return {
    say(message) {
      if (over) return;
      said.push(message);
      flushSoon();
    },
    close() {
      over = true;
      carrier.close();
    },
  };
}
