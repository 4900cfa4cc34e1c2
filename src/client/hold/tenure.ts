/** How long a holder may rely on what it holds, a lease or a card: a signal, the clocks, and the renewals that prolong it. */

import type { Clock, Moment } from "../rpc/clock.ts";
import type { Renewable, Renewer } from "./renewer.ts";
import { createValidity, type Validity } from "./validity.ts";

export interface TenurePorts<C, A> {
  readonly clock: Clock;
  readonly renewer: Renewer<C, A>;
}

export interface TenureOptions<C, A> {
  /** What the server is shown in renewals. */
  readonly credential: C;
  /** When the request was sent that was answered with the grant, or that confirmed it. */
  readonly sentAt: Moment;
  /** ms from then on; undefined: for as long as nothing else ends it. */
  readonly validFor: number | undefined;
  /** The holder's own; aborting it calls `onAbort`. */
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (reason: unknown) => void;
  readonly onRenewed: (answer: A, sentAt: Moment) => void;
  /** What the signal aborts with when no renewal was confirmed in time. */
  readonly ranOut: () => Error;
}

export class Tenure<C, A> implements Renewable<C, A> {
  readonly credential: C;
  readonly #ports: TenurePorts<C, A>;
  readonly #options: TenureOptions<C, A>;
  readonly #controller = new AbortController();
  readonly #validity: Validity | undefined;
  #isOver = false;

  constructor(ports: TenurePorts<C, A>, options: TenureOptions<C, A>) {
    const { credential, sentAt, validFor, signal } = options;
    this.#ports = ports;
    this.#options = options;
    this.credential = credential;
    signal?.addEventListener("abort", this.#onAbort);
    if (validFor === undefined) return;
    this.#validity = createValidity(ports.clock, { sentAt, validFor }, () => this.#runOut());
    if (!this.#isOver) ports.renewer.add(this);
  }

  /** Aborts when it is lost. Checks the clocks, whatever timers have fired. */
  get signal(): AbortSignal {
    this.#look();
    return this.#controller.signal;
  }

  /** Whether the holder may rely on it now. Checks the clocks, as `signal` does. */
  get holds(): boolean {
    this.#look();
    return !this.#isOver;
  }

  remaining(): number {
    return this.#validity?.remaining() ?? Number.POSITIVE_INFINITY;
  }

  renewed(answer: A, sentAt: Moment): void {
    this.#look();
    this.#options.onRenewed(answer, sentAt);
  }

  /** It lasts for `validFor` ms from `sentAt`, if that is longer than it would last anyway. */
  confirm(validFor: number, sentAt: Moment): void {
    if (!this.#isOver) this.#validity?.confirm({ sentAt, validFor });
  }

  /** It is lost: aborts the signal, unless it is over already. */
  lose(reason: unknown): void {
    if (this.#isOver) return;
    this.stop();
    this.#controller.abort(reason);
  }

  /** Its holder has ended it: nothing is renewed, watched or reported any more. */
  stop(): void {
    this.#isOver = true;
    this.#validity?.stop();
    this.#ports.renewer.remove(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#options.onAbort(this.#options.signal?.reason);

  #look(): void {
    if (!this.#isOver && this.remaining() <= 0) this.#runOut();
  }

  #runOut(): void {
    this.lose(this.#options.ranOut());
  }
}
