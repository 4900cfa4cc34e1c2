/** The names of the attributes that are this server's own; `docs/tracing.md` says what each means. */

export const WORDS = {
  limiters: "backpressure.limiters",
  permits: "backpressure.permits",
  tokens: "backpressure.tokens",
  lease: "backpressure.lease.id",
  board: "backpressure.board",
  stage: "backpressure.stage",
  card: "backpressure.card.id",
  reason: "backpressure.refusal.reason",
  session: "backpressure.session",
  /** How a wait has ended: `granted`, `refused`, `left` or `server-stopped`. */
  waitEnd: "backpressure.wait.end",
  /** How a hold has ended. */
  holdEnd: "backpressure.hold.end",
} as const;

export const WAIT = "backpressure.wait";
export const HOLD = "backpressure.hold";
/** The end of what is still going on when the server stops, and of which it knows nothing more. */
export const SERVER_STOPPED = "server-stopped";
