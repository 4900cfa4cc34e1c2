/** Takes up a changed configuration file while the server runs; a bad one changes nothing. */

import { isDeepStrictEqual } from "node:util";
import { type Clock, createSystemClock } from "../clock.ts";
import type { Log } from "../log.ts";
import { type ConfigReading, type LoadedConfig, parseConfig } from "./config.ts";
import { type FileReading, readConfigFile } from "./config-file.ts";
import { formatProblem, type Problem } from "./problem.ts";
import { watchPath } from "./watch-path.ts";

export interface WatchOptions {
  /** What the server runs with, and from which file. */
  readonly running: LoadedConfig;
  readonly log: Log;
  /** Called with each configuration that is good and says something else than the one before. */
  readonly onChange: (next: LoadedConfig) => void;
  /** Whether all of the last one is: if not, it is handed out again when its reading is asked for. Default: it is. */
  readonly isInForce?: () => boolean;
  readonly clock?: Clock;
}

export interface ConfigWatch {
  /** Reads the file now, and says what it thinks of it whether or not it has changed. */
  reload(): void;
  close(): void;
}

/** µs without news from the file's folders after which it is read: who writes it has probably finished. */
const QUIET = 100_000;

export function watchConfig(options: WatchOptions): ConfigWatch {
  const { running, log, onChange, isInForce = () => true, clock = createSystemClock() } = options;
  const { origin } = running;
  const { path } = origin;
  if (path === undefined) {
    return { reload: () => log.info({}, "there is no configuration file to read again"), close: () => {} };
  }
  let current = running;
  let seen: FileReading = { kind: "text", text: running.text };
  let callOff = () => {};
  const folders = watchPath(path, {
    onNews: lookSoon,
    onError: (error) =>
      log.warn({ path, error: error.message }, "cannot watch the configuration file; SIGHUP makes the server read it"),
  });
  // It may have changed since it was loaded.
  lookSoon();

  function lookSoon(): void {
    callOff();
    callOff = clock.schedule(clock.now() + QUIET, false, () => look({ anyway: false }));
  }

  function look({ anyway }: { readonly anyway: boolean }): void {
    callOff();
    // Before the file is read, so that no change is missed in between.
    folders.follow();
    const reading = readConfigFile(path as string);
    if (!anyway && isDeepStrictEqual(reading, seen)) return;
    seen = reading;
    if (reading.kind === "unreadable") take({ kind: "invalid", problems: [reading.problem] });
    // What is in force already need not be read again, however much it is.
    else take(reading.text === current.text ? current : parseConfig(reading.text, origin));
  }

  function take(next: ConfigReading): void {
    if (next.kind === "invalid") {
      refuse(next.problems);
    } else if (next.text === current.text && !isInForce()) {
      log.info({ path }, "the configuration file has not changed; what was refused of it is tried again");
      onChange(next);
    } else if (next.text === current.text) {
      log.info({ path }, "the configuration file says what is in force already");
    } else if (next.text.trim() === "" && current.limiters.length > 0) {
      // A disk that is full leaves such a file behind, and all limiters would go.
      const message = "is empty; if no limiter is meant to be left, let it say limiters: []";
      refuse([{ place: { kind: "file", path: path as string }, field: "", message }]);
    } else {
      current = next;
      log.info({ path, limiters: next.limiters.length }, "the configuration file has changed and is taken up");
      onChange(next);
    }
  }

  function refuse(problems: readonly Problem[]): void {
    for (const problem of problems) log.error({ field: problem.field }, formatProblem(problem));
    log.error({ path, problems: problems.length }, "the configuration file is not taken up; what is in force stays");
  }

  return {
    reload: () => look({ anyway: true }),
    close() {
      callOff();
      folders.close();
    },
  };
}
