/**
 * What the client keeps of a lease or a card that it holds: whether it is still good, and how it ends. The user's handle is another
 * object, which nothing here refers to, so that a handle that was forgotten can be collected and what it stood for given back.
 */

import type { ClientEvent } from "../api/events.ts";
import type { CallStream } from "../rpc/call-stream.ts";
import type { Moment } from "../rpc/clock.ts";
import { notify } from "../rpc/notify.ts";
import type { StreamPlace } from "../rpc/stream-budget.ts";
import { within } from "../rpc/within.ts";
import type { Good, HeldKind, Loss } from "./held-kind.ts";
import { createResumableStream, type ResumableStream, type ResumableStreamPorts } from "./resumable-stream.ts";
import { Tenure, type TenurePorts } from "./tenure.ts";

export interface HeldPorts<C, A> extends TenurePorts<C, A>, ResumableStreamPorts {
  /** ms for a holder that ends it to wait for the server's word; less while the server is known to be away. */
  readonly confirmWithin: () => number;
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
}

/** The stream that is the lease, as the grants that are said on it, and how it is opened anew. */
export interface Attached {
  readonly stream: CallStream<Good>;
  readonly reopen: (place: StreamPlace) => CallStream<Good>;
}

export interface HeldOptions<C> extends Good {
  readonly credential: C;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
  /** Undefined for what was taken without waiting. */
  readonly attached: Attached | undefined;
  /** Aborting it gives it back. */
  readonly signal: AbortSignal | undefined;
  /** Called when nothing is left to do. */
  readonly onOver: () => void;
}

interface UnderWay<E, O> {
  readonly ending: E;
  readonly answer: Promise<O>;
}

export class Held<C, A, E, O, R extends string, D> {
  readonly #kind: HeldKind<A, E, O, R, D>;
  readonly #ports: HeldPorts<C, A>;
  readonly #validFor: number | undefined;
  readonly #onOver: () => void;
  readonly #tenure: Tenure<C, A>;
  readonly #stream: ResumableStream | undefined;
  /** How its holder has ended it. */
  #underWay: UnderWay<E, O> | undefined;
  #endedByServer: D | undefined;
  /** To what its stream was lost, or the last attempt to open that anew, while it is not made good. */
  #connectionError: Error | undefined;
  /** What was received while an end was on its way to the server, and has to be done if nothing comes of that. */
  #meanwhile: (() => void) | undefined;

  constructor(kind: HeldKind<A, E, O, R, D>, ports: HeldPorts<C, A>, options: HeldOptions<C>) {
    const { credential, sentAt, validFor, attached, signal, onOver } = options;
    this.#kind = kind;
    this.#ports = ports;
    this.#validFor = validFor;
    this.#onOver = onOver;
    this.#tenure = new Tenure(ports, {
      credential,
      sentAt,
      validFor,
      signal,
      onAbort: (reason) => void this.abandon(reason),
      onRenewed: (answer, confirmedAt) => this.#renewed(answer, confirmedAt),
      ranOut: () => this.#ranOut(),
    });
    this.#stream = attached && this.#attach(attached);
    this.#tenure.signal.addEventListener("abort", () => this.#stream?.stop(), { once: true });
  }

  /** Aborts when it is lost. Looks at the clocks, whatever timers have fired. */
  get signal(): AbortSignal {
    return this.#tenure.signal;
  }

  /** Whether its holder may rely on it now, and has not ended it. */
  get valid(): boolean {
    return this.#tenure.holds && this.#underWay === undefined;
  }

  /** How its holder has ended it; undefined: not at all, or without success. */
  get ending(): E | undefined {
    return this.#underWay?.ending;
  }

  /** What the server has said of how it ended by itself. */
  get endedByServer(): D | undefined {
    return this.#endedByServer;
  }

  /**
   * Tells the server that it is ended, until its ttl has passed. The first end counts, unless the server finds that it breaks a
   * rule. Returns what that comes to, however the ends differ.
   */
  end(ending: E): Promise<O> {
    if (this.#underWay === undefined) {
      if (this.#kind.goesOnAfter === undefined) this.#stop();
      this.#underWay = { ending, answer: this.#say(ending) };
    }
    return this.#underWay.answer;
  }

  /** The same, but waits no longer for the server's word than a holder may have to. */
  endWithin(ending: E, late: (ms: number) => O): Promise<O> {
    const time = this.#ports.confirmWithin();
    return within(this.#ports.clock, time, this.end(ending), () => late(time));
  }

  /** Gives it back, unless it is ended. Never rejects. */
  async leave(): Promise<void> {
    const { givenBack } = this.#kind;
    if (this.#underWay !== undefined) await this.#settled();
    if (this.#underWay !== undefined) return;
    if (this.#endedByServer !== undefined) {
      this.#onOver();
      return;
    }
    void this.end(givenBack).catch(() => {});
    await this.#settled();
  }

  /** Gives it back because its holder may not go on, for a reason of its own. */
  abandon(reason: unknown): Promise<void> {
    if (this.valid) this.#tenure.lose(reason);
    return this.leave();
  }

  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void {
    this.#lose({ reason: "PAGE_HIDDEN", detail: "the browser has left the page", ended: this.#kind.leftPage });
    this.#giveUp();
  }

  /** Goes on without a stream, on renewals alone, so that a renewal finds its connection free; not where it is bound to its stream. */
  makeWay(): void {
    if (this.#validFor !== undefined && this.valid) this.#stream?.cut();
  }

  /** Nothing is left to do: the server has ended it, and its holder knows. */
  forget(): void {
    this.#onOver();
  }

  #attach(attached: Attached): ResumableStream {
    const kind = this.#kind;
    const { onEvent } = this.#ports;
    return createResumableStream(this.#ports, {
      ...attached,
      onAttempt: (attempt) => {
        const error = this.#connectionError;
        if (error !== undefined) notify(onEvent, kind.resuming(attempt, error));
      },
      onResumed: ({ validFor }, sentAt, attempt) => {
        if (!this.#tenure.holds) return;
        this.#connectionError = undefined;
        if (validFor !== undefined) this.#tenure.confirm(validFor, sentAt);
        notify(onEvent, kind.resumed(attempt));
      },
      onOver: (error) => this.#streamOver(error),
    });
  }

  #streamOver(error: Error | undefined): void {
    if (this.#underWay !== undefined) {
      this.#meanwhile = () => this.#streamOver(error);
      return;
    }
    const loss = this.#kind.readStreamEnd(error);
    if (loss !== undefined) {
      this.#lose(loss);
    } else if (this.#validFor === undefined) {
      const detail = `its stream has broken (${error?.message})`;
      this.#lose({ reason: "CONNECTION_LOST", detail, cause: error });
    } else if (this.#tenure.holds) {
      this.#connectionError = error;
      this.#stream?.reattach();
    }
  }

  #ranOut(): Error {
    const cause = this.#connectionError;
    const detail = "no renewal was confirmed in time";
    const why =
      cause === undefined ? detail : `${detail}, and its connection could not be made good (${cause.message})`;
    return this.#kind.lostError({ reason: "VALIDITY_EXPIRED", detail: why, cause });
  }

  #renewed(answer: A, sentAt: Moment): void {
    const said = this.#kind.readRenewal(answer);
    if ("reason" in said) this.#lose(said);
    else if (said.validFor !== undefined) this.#tenure.confirm(said.validFor, sentAt);
  }

  #lose(loss: Loss<R, D>): void {
    if (this.#underWay !== undefined) {
      this.#meanwhile = () => this.#lose(loss);
      return;
    }
    this.#endedByServer = loss.ended ?? this.#endedByServer;
    this.#tenure.lose(this.#kind.lostError(loss));
  }

  async #say(ending: E): Promise<O> {
    try {
      // A browser that has as many connections open as it may has one for the next try then; with a ttl of zero it is the end.
      const answer = await this.#kind.sayEnded(ending, () => this.#stream?.cut());
      this.#tenure.stop();
      // The next request finds this one's stream gone.
      await this.#stream?.finish();
      this.#onOver();
      return answer;
    } catch (error) {
      if (this.#kind.goesOnAfter?.(error)) this.#goOn();
      else this.#giveUp();
      throw error;
    }
  }

  /** Looks at the clocks first: what has run out is lost, not ended. */
  #stop(): void {
    if (this.#tenure.holds) this.#tenure.stop();
    this.#stream?.stop();
  }

  /** Waits until the server has confirmed the end, or for as long as a holder has to. */
  async #settled(): Promise<void> {
    const answer = this.#underWay?.answer;
    if (answer === undefined) return;
    const { clock, confirmWithin } = this.#ports;
    const settled = answer.then(
      () => {},
      () => {},
    );
    await within(clock, confirmWithin(), settled, () => {});
  }

  /** Nothing has come of the end. */
  #goOn(): void {
    this.#underWay = undefined;
    const meanwhile = this.#meanwhile;
    this.#meanwhile = undefined;
    meanwhile?.();
  }

  #giveUp(): void {
    this.#tenure.stop();
    this.#stream?.cut();
    this.#onOver();
  }
}
