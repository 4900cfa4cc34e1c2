/** The exit codes: what scripts may rely on. */

/** Of every command but `run`. */
export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  conflict: 5,
  lost: 6,
  failed: 70,
} as const;

/** Of `run`, beside the codes of the command that it runs: those of timeout(1), env(1) and the shells. */
export const RUN_EXIT = {
  stopped: 123,
  refused: 124,
  failed: 125,
  notExecutable: 126,
  notFound: 127,
} as const;

/** Of a command that runs for a card: what becomes of the card, beside 0 (finished) and any other (failed). */
export const CARD_EXIT = {
  /** EX_TEMPFAIL of sysexits(3). */
  later: 75,
  rework: 76,
} as const;

/** A process that a signal ended has this and the signal's number. */
export const SIGNAL_BASE = 128;

const MEANINGS: readonly (readonly [string, string])[] = [
  [`${EXIT.ok}`, "done; granted"],
  [
    `${EXIT.refused}`,
    "not granted now: refused, no card, or waited too long; health: not serving; check: not valid; diff: differs",
  ],
  [`${EXIT.usage}`, "the command line, or what it asks for, is wrong"],
  [`${EXIT.unreachable}`, "the server cannot be reached, or is about to stop"],
  [`${EXIT.notFound}`, "there is no such limiter, lease, waiter, board, stage or card"],
  [
    `${EXIT.conflict}`,
    "not as things stand: more than the limiter has, declared in the file, changed meanwhile; not allowed",
  ],
  [`${EXIT.lost}`, "the lease, or the work on a card, was lost while it was held"],
  [`${EXIT.failed}`, "the server or this program failed"],
  [`${SIGNAL_BASE}+n`, "ended by signal n"],
];

const RUN_MEANINGS: readonly (readonly [string, string])[] = [
  ["any", "the command's own"],
  [`${RUN_EXIT.stopped}`, "the lease was lost or asked back, and the command was stopped"],
  [`${RUN_EXIT.refused}`, "not granted: refused, or waited too long; the command was not run"],
  [`${RUN_EXIT.failed}`, "nothing was run for another reason: usage, no server, no such limiter"],
  [`${RUN_EXIT.notExecutable}`, "the command was found, but cannot be executed"],
  [`${RUN_EXIT.notFound}`, "the command was not found"],
  [`${SIGNAL_BASE}+n`, "signal n ended the command, or the wait for the lease"],
];

const PULL_MEANINGS: readonly (readonly [string, string])[] = [
  ["any", "the command's own; with --loop 0, when it was stopped"],
  [`${RUN_EXIT.stopped}`, "the card was lost, and the command was stopped"],
  [`${RUN_EXIT.refused}`, "there was no card in time; the command was not run"],
  [`${RUN_EXIT.failed}`, "nothing was run, or the server could not be reached, for another reason"],
  [`${RUN_EXIT.notExecutable}`, "the command was found, but cannot be executed; the card is given back"],
  [`${RUN_EXIT.notFound}`, "the command was not found; the card is given back"],
  [`${SIGNAL_BASE}+n`, "signal n ended the command, or the wait for the card"],
];

export const EXIT_CODES_HELP = `\nExit codes:\n${tabulate(MEANINGS)}\n  \`run\` and \`board pull\` have their own: see their \`--help\`.`;
export const RUN_EXIT_CODES_HELP = `\n\nExit codes:\n${tabulate(RUN_MEANINGS)}`;
export const PULL_EXIT_CODES_HELP = `\n\nExit codes, where a command is run:\n${tabulate(PULL_MEANINGS)}`;

function tabulate(rows: typeof MEANINGS): string {
  return rows.map(([code, meaning]) => `  ${code.padEnd(7)}${meaning}`).join("\n");
}
