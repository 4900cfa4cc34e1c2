/** The track record: bugs of this program that a harness has found, the latest first. */

export interface FoundBug {
  readonly harness: string;
  /** What was wrong, and what came of it. */
  readonly bug: string;
  /** The day on which it was mended; undefined: it is open. */
  readonly mended: string | undefined;
}

export const FOUND: readonly FoundBug[] = [
  {
    harness: "history",
    bug: "a session's command that was cancelled while its grant was on its way to the disk was answered CANCELLED: the lease lived on, and nobody knew of it",
    mended: "2026-11-30",
  },
  {
    harness: "history",
    bug: "a session's command whose wait was over while its place in the queue was on its way to the disk was never answered",
    mended: "2026-11-30",
  },
  {
    harness: "session-neighbours",
    bug: "beside a session that floods, one call of a hundred of others takes 2 to 5 times as long as in peace, on two cores",
    mended: undefined,
  },
  {
    harness: "sessions at their bounds",
    bug: "what a session holds was listed in one message: beyond 160,000 leases no client took that, and the session could not be taken up again",
    mended: "2026-11-30",
  },
  {
    harness: "sessions at their bounds",
    bug: "commands and cards with many words made a message larger than the other side takes: the session ended, and with it all that was asked",
    mended: "2026-11-30",
  },
  {
    harness: "sessions at their bounds",
    bug: "with more than 1,000 answers to say, the end of a lease could be said before its grant: its client held on to it",
    mended: "2026-11-30",
  },
  {
    harness: "worker-hangs",
    bug: "a transport worker that hung was noticed only under load: until then what its connections held lived on",
    mended: "2026-11-30",
  },
  {
    harness: "power-loss",
    bug: "a flipped bit of the schema or the header that only the first write finds: refused, but the log was in the database by then",
    mended: "2026-11-28",
  },
  {
    harness: "kill of a first start",
    bug: "a first start that is killed before the database has its log leaves a folder that is refused as damaged",
    mended: "2026-11-28",
  },
  {
    harness: "property tests",
    bug: "a request that was cancelled could leave a second deadline for the head of its queue, to which a wake came for nothing",
    mended: "2026-11-28",
  },
  {
    harness: "property tests",
    bug: "after damage two cards' works could stand under one request id, which then led to either",
    mended: "2026-11-27",
  },
  {
    harness: "restart tests",
    bug: "with `leases: none` a lease of a longer ttl than any before was answered before that was on disk: a crash in between shortened the learning",
    mended: "2026-11-27",
  },
  {
    harness: "disk-faults",
    bug: "with a full disk renewals waited behind a grant that waited for room, and their holders stopped relying on their leases",
    mended: "2026-11-27",
  },
  {
    harness: "disk-faults",
    bug: "SIGTERM while a unary grant is on its way to the disk: answered INTERNAL, neither granted nor UNAVAILABLE",
    mended: "2026-11-27",
  },
  {
    harness: "disk-faults",
    bug: "a stop whose last fsync fails ends with 0 and says nothing",
    mended: "2026-11-27",
  },
  {
    harness: "disk-faults",
    bug: "a checkpoint that fails is kept by SQLite to itself: the log grows, and nothing is logged",
    mended: "2026-11-27",
  },
  {
    harness: "model-check",
    bug: "a request that was cancelled, overtaken by the next attempt over another connection, displaces that and frees its lease",
    mended: "2026-11-27",
  },
  {
    harness: "model-check",
    bug: "a lease that an operator had asked back was relied on to its very end, so that a holder that was late worked beside the next",
    mended: "2026-11-27",
  },
  {
    harness: "network-faults",
    bug: "a client that gave up its connection reset its streams first; a server that still heard freed leases that were relied on",
    mended: "2026-11-27",
  },
  {
    harness: "network-faults",
    bug: "waiters whose connection the server gave up were given an answer without a status, and lost their places",
    mended: "2026-11-27",
  },
];
