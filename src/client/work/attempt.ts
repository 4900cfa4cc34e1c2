/** One card in a worker's loop, from its pull to its end. */

import type { Card } from "../api/card.ts";
import type { Work } from "../api/work.ts";
import type { WorkHandler } from "../api/work-loop.ts";
import type { Clock } from "../rpc/clock.ts";
import { linkSignals } from "../rpc/linked-signal.ts";
import { notify } from "../rpc/notify.ts";
import { sleep } from "../rpc/retry.ts";

export interface AttemptPorts {
  readonly clock: Clock;
  readonly handler: WorkHandler;
  readonly onError: ((error: unknown, card: Card | undefined) => void) | undefined;
  /** ms for which a card whose work has failed so often is kept back. */
  readonly delayAfter: (attempts: number) => number;
  /** The loop stops: what only waits is cut short. */
  readonly stopping: AbortSignal;
  /** Handlers have had all the time that they were given. */
  readonly hurrying: AbortSignal;
  /** And all that they had to wind down. */
  readonly givingUp: AbortSignal;
}

/** `"setback"`: the work was lost, or given back on purpose, and the same may come of the next at once. */
export type AttemptOutcome = "done" | "setback";

type Handled =
  | { readonly kind: "returned"; readonly result: unknown }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "given-up" };

/** Works on a card, and leaves it finished or given back. Never rejects. */
export async function workOn(ports: AttemptPorts, work: Work): Promise<AttemptOutcome> {
  const handled = await handle(ports, work);
  try {
    return await conclude(ports, work, handled);
  } catch (error) {
    report(ports, error, work.card);
    return "setback";
  } finally {
    await work[Symbol.asyncDispose]();
  }
}

/** Lets the handler work, and waits for it until the loop gives it up. */
function handle({ handler, hurrying, givingUp }: AttemptPorts, work: Work): Promise<Handled> {
  const { signal, unlink } = linkSignals(work.signal, hurrying);
  return new Promise<Handled>((resolve) => {
    const giveUp = () => resolve({ kind: "given-up" });
    givingUp.addEventListener("abort", giveUp);
    const call = async () => handler(work.card, signal, work);
    call()
      .then(
        (result) => resolve({ kind: "returned", result }),
        (error: unknown) => resolve({ kind: "threw", error }),
      )
      .finally(() => {
        givingUp.removeEventListener("abort", giveUp);
        unlink();
      });
  });
}

async function conclude(ports: AttemptPorts, work: Work, handled: Handled): Promise<AttemptOutcome> {
  if (!work.valid) return concludeEnded(ports, work, handled);
  // A handler that is asked to stop may return as well as throw: neither says that the work is done.
  if (ports.hurrying.aborted || handled.kind === "given-up") {
    await work.giveBack("its worker was stopped before it was done");
    return "done";
  }
  if (handled.kind === "threw") return giveBackFailed(ports, work, handled.error);
  try {
    await work.finish(handled.result);
    return "done";
  } catch (error) {
    // The result breaks a rule: the card is still there.
    if (work.valid) return giveBackFailed(ports, work, error);
    throw error;
  }
}

/** The work is lost, its handler has ended it, or there was nothing to hold. */
function concludeEnded(ports: AttemptPorts, work: Work, handled: Handled): AttemptOutcome {
  if (work.end === undefined && work.signal.aborted) {
    report(ports, work.signal.reason, work.card);
    return "setback";
  }
  if (handled.kind === "threw") report(ports, handled.error, work.card);
  return handled.kind === "threw" || work.end === "given-back" ? "setback" : "done";
}

/** The card stays here for a while first, so that neither this loop nor another runs into the same wall at once. */
async function giveBackFailed(ports: AttemptPorts, work: Work, error: unknown): Promise<AttemptOutcome> {
  const { clock, delayAfter, stopping } = ports;
  report(ports, error, work.card);
  const { signal, unlink } = linkSignals(work.signal, stopping);
  await rest(clock, delayAfter(work.card.attempt), signal);
  unlink();
  if (!work.valid) return concludeEnded(ports, work, { kind: "given-up" });
  await work.giveBack(reasonOf(error), { failed: true });
  return "done";
}

/** Waits so many ms, or until the signal aborts. */
export async function rest(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  await sleep(clock, delay, signal).catch(() => {});
}

function report({ onError }: Pick<AttemptPorts, "onError">, error: unknown, card: Card): void {
  notify((thrown: unknown) => onError?.(thrown, card), error);
}

/** Bytes of a reason. */
const MAX_REASON = 1024;

/** An error in so many words as a card's reason may have. */
function reasonOf(error: unknown): string {
  const text = (error instanceof Error ? error.message || error.name : String(error)).toWellFormed();
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(MAX_REASON));
  return text.slice(0, read);
}
