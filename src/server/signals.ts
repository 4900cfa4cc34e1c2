/**
 * The signals that a server is sent. Their handlers are set before anything slow is done, and remember signals until
 * the server can act on them: without a handler, SIGHUP would end a process that still starts.
 */

/** Why the server is to end: a signal, or a parent that is gone. */
export type EndCause = "SIGTERM" | "SIGINT" | "parent";

export interface ServerSignals {
  /** Aborted by the first cause to end. */
  readonly ending: AbortSignal;
  /** Sets the listener for SIGHUP. It is called once for all that came before. */
  onReload(listener: () => void): void;
  /** Sets the listener for causes to end. It is called for those that came before as well; `count` starts at 1. */
  onEnd(listener: (cause: EndCause, count: number) => void): void;
  /** Ends the server for a cause that is no signal. */
  end(cause: EndCause): void;
}

/**
 * ms within which the same signal counts once. A Ctrl-C reaches every process of the terminal's group, and npm passes it
 * on to its child, which has it already.
 */
const ECHO = 1_000;

/** Sets the signals' handlers. */
export function hearServerSignals(source: NodeJS.EventEmitter = process, now = () => performance.now()): ServerSignals {
  const controller = new AbortController();
  const heardAt = new Map<EndCause, number>();
  const causes: EndCause[] = [];
  let reloads = 0;
  let reload: (() => void) | undefined;
  let end: ((cause: EndCause, count: number) => void) | undefined;

  function onCause(cause: EndCause): void {
    const at = now();
    const last = heardAt.get(cause);
    heardAt.set(cause, at);
    if (last !== undefined && at - last < ECHO) return;
    causes.push(cause);
    controller.abort();
    end?.(cause, causes.length);
  }

  source.on("SIGHUP", () => {
    if (reload === undefined) reloads += 1;
    else reload();
  });
  source.on("SIGTERM", () => onCause("SIGTERM"));
  source.on("SIGINT", () => onCause("SIGINT"));

  return {
    ending: controller.signal,
    onReload(listener) {
      reload = listener;
      if (reloads > 0) listener();
      reloads = 0;
    },
    onEnd(listener) {
      end = listener;
      for (const [index, cause] of causes.entries()) listener(cause, index + 1);
    },
    end: onCause,
  };
}
