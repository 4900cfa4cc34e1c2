/** Takes up a changed configuration file while the server runs; a bad one changes nothing. */

import { isDeepStrictEqual } from "node:util";
import { type Clock, createSystemClock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { ConfigReading, LoadedConfig } from "../config.ts";
import { type FileReading, readConfigFileSoon } from "../config-file.ts";
import { formatProblem, type Problem } from "../problem.ts";
import type { ServerSettings } from "../settings.ts";
import { parseElsewhere } from "../thread/parse-elsewhere.ts";
import { problemsOfTaking } from "./taken-away.ts";
import { watchPath } from "./watch-path.ts";

export interface WatchOptions {
  /** What the server runs with, and from which file. */
  readonly running: LoadedConfig;
  readonly log: Log;
  /** Called with each valid configuration that differs from the one before. */
  readonly onChange: (next: LoadedConfig) => void;
  /** Whether all of the last one is in force: if not, `reload` hands it out again. Default: true. */
  readonly isInForce?: () => boolean;
  /** Called with each file that was read: whether it is taken up, or in force already. */
  readonly onRead?: (problems: readonly Problem[]) => void;
  readonly clock?: Clock;
  /** Default: in a thread of its own. */
  readonly parse?: typeof parseElsewhere;
}

export interface ConfigWatch {
  /** Reads the file at once, and logs the result whether or not it has changed. */
  reload(): void;
  close(): void;
}

/** µs without news from the file's folders after which it is read: its writer has probably finished. */
const QUIET = 100_000;
/** Problems of one file that are logged at most: each line is written before the server goes on. */
const MOST_LOGGED = 100;

export function watchConfig(options: WatchOptions): ConfigWatch {
  const { running, log, onChange, isInForce = () => true, onRead = () => {}, clock = createSystemClock() } = options;
  const { parse = parseElsewhere } = options;
  const { origin } = running;
  const { path } = origin;
  if (path === undefined) {
    return {
      reload: () => log.info({ event: "config-none" }, "there is no configuration file to read again"),
      close: () => {},
    };
  }
  const closing = new AbortController();
  let current = running;
  let seen: FileReading = { kind: "text", text: running.text };
  let callOff = () => {};
  /** The next look, asked for while one is under way. */
  let asked: "if-changed" | "anyway" | undefined;
  let looking = false;
  const folders = watchPath(path, {
    onNews: lookSoon,
    onError: (error) =>
      log.warn(
        { event: "config-not-watched", path, error: error.message },
        "cannot watch the configuration file; SIGHUP makes the server read it",
      ),
  });
  // It may have changed since it was loaded.
  lookSoon();

  function lookSoon(): void {
    callOff();
    callOff = clock.schedule(clock.now() + QUIET, false, () => look("if-changed"));
  }

  /** Looks once after the present look; several calls meanwhile are one look. */
  function look(how: "if-changed" | "anyway"): void {
    callOff();
    if (asked !== "anyway") asked = how;
    if (!looking) void lookWhileAsked();
  }

  async function lookWhileAsked(): Promise<void> {
    looking = true;
    for (let how = asked; how !== undefined && !closing.signal.aborted; how = asked) {
      asked = undefined;
      await lookOnce(how);
    }
    looking = false;
  }

  async function lookOnce(how: "if-changed" | "anyway"): Promise<void> {
    // Before the file is read, so that no change is missed in between.
    folders.follow();
    const reading = await readConfigFileSoon(path as string);
    if (closing.signal.aborted || (how === "if-changed" && isDeepStrictEqual(reading, seen))) return;
    seen = reading;
    const next = await understand(reading);
    if (!closing.signal.aborted) take(next);
  }

  async function understand(reading: FileReading): Promise<ConfigReading> {
    if (reading.kind === "unreadable") return { kind: "invalid", problems: [reading.problem] };
    // What is in force already need not be parsed again.
    if (reading.text === current.text) return current;
    try {
      return await parse(reading.text, origin, closing.signal);
    } catch (error) {
      const message = `cannot be parsed: ${(error as Error).message}`;
      return { kind: "invalid", problems: [{ place: { kind: "file", path: path as string }, field: "", message }] };
    }
  }

  function take(next: ConfigReading): void {
    if (next.kind === "invalid") {
      refuse(next.problems);
    } else if (next.text === current.text && !isInForce()) {
      onRead([]);
      log.info(
        { event: "config-tried-again", path },
        "the configuration file has not changed; what of it is not in force is tried again",
      );
      onChange(next);
    } else if (next.text === current.text) {
      onRead([]);
      log.info({ event: "config-same", path }, "the configuration file says what is in force already");
    } else if (next.text.trim() === "" && current.limiters.length > 0) {
      // A full disk may leave an empty file, which would delete all limiters.
      const message = "is empty; if no limiter is meant to be left, let it say limiters: []";
      refuse([{ place: { kind: "file", path: path as string }, field: "", message }]);
    } else {
      const takenAway = problemsOfTaking(next, { started: running, latest: current });
      if (takenAway.length > 0) {
        refuse(takenAway);
        return;
      }
      const changed = changedSettings(current.settings, next.settings);
      current = next;
      onRead([]);
      log.info(
        { event: "config-taken-up", path, limiters: next.limiters.length, changed },
        "the configuration file has changed and is taken up",
      );
      onChange(next);
    }
  }

  function refuse(problems: readonly Problem[]): void {
    onRead(problems);
    for (const problem of problems.slice(0, MOST_LOGGED)) {
      log.error({ event: "config-problem", field: problem.field }, formatProblem(problem));
    }
    if (problems.length > MOST_LOGGED) {
      log.error(
        { event: "config-problem", path, more: problems.length - MOST_LOGGED },
        "there are more problems; backpressure check FILE names all",
      );
    }
    log.error(
      { event: "config-refused", path, problems: problems.length },
      "the configuration file is not taken up; what is in force stays",
    );
  }

  return {
    reload: () => look("anyway"),
    close() {
      closing.abort();
      callOff();
      folders.close();
    },
  };
}

/** The names of the settings that differ; what they say may be no one else's business. */
function changedSettings(before: ServerSettings, next: ServerSettings): readonly string[] {
  const names = Object.keys(next) as (keyof ServerSettings)[];
  return names.filter((name) => !isDeepStrictEqual(before[name], next[name]));
}
