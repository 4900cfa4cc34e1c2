/**
 * Whether the way to the server carries sessions. A server may have none, and a proxy may keep back what its client sends until
 * that is complete: the session is then never opened, while calls with one answer get through.
 */

type State =
  | "untried"
  /** One was opened before. */
  | "proven"
  /** One was not opened in time, and calls go without it until one of them is answered. */
  | "doubtful"
  /** A server that answers calls is asked for a session once more. */
  | "probing"
  /** None is asked for any more. */
  | "refused";

export interface Carriage {
  /** Whether calls go by session. */
  readonly bySession: boolean;
  /** Whether a session has to be opened in time. */
  readonly isBounded: boolean;
  /** A session was opened. */
  opened(): void;
  /** A session could not be opened for a reason that says nothing of sessions. */
  failed(): void;
  /** A session was not opened in time. */
  late(): void;
  /** The server has no sessions. */
  refused(): void;
  /** A call without session was answered. */
  answered(): void;
}

/** Calls `probe` to have a session opened that carries nothing yet. */
export function createCarriage(probe: () => void): Carriage {
  let state: State = "untried";
  return {
    get bySession() {
      return state === "untried" || state === "proven";
    },
    get isBounded() {
      return state !== "proven";
    },
    opened() {
      state = "proven";
    },
    failed() {
      if (state === "doubtful" || state === "probing") state = "untried";
    },
    late() {
      state = state === "probing" ? "refused" : "doubtful";
    },
    refused() {
      state = "refused";
    },
    answered() {
      if (state !== "doubtful") return;
      state = "probing";
      probe();
    },
  };
}
