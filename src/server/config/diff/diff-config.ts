/** What of a configuration differs from what a server runs, and why. */

import type { GetConfigResponse } from "../../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { LoadedConfig } from "../config.ts";
import { diffBoards, type RunningBoards } from "./diff-boards.ts";
import { diffLimiters, type RunningLimiters } from "./diff-limiters.ts";
import { diffSettings } from "./diff-settings.ts";
import type { Difference, TakeUp } from "./difference.ts";

/** As the server reports it. */
export interface Running extends RunningLimiters, RunningBoards {
  readonly config: GetConfigResponse;
}

/** The file as the server would read it, and without the variables of the server's environment. */
export interface FileReadings {
  readonly file: LoadedConfig;
  readonly plain: LoadedConfig;
}

/** Settings first, then limiters and boards in the order of the file, then those that it does not name. */
export function diffConfig({ file, plain }: FileReadings, running: Running): readonly Difference[] {
  const takeUp = takeUpOf(running.config);
  const differences = [
    ...diffSettings({ settings: file.settings, plain }, running.config, takeUp),
    ...diffLimiters(file.limiters, running, takeUp),
    ...diffBoards(file, running, takeUp),
  ];
  return isRefusedAsEmpty(file, running) ? differences.map(refusedAsEmpty) : differences;
}

function takeUpOf({ file }: GetConfigResponse): TakeUp {
  if (file !== "") return { why: "not-taken-up", by: "a reload (SIGHUP)" };
  return { why: "needs-restart", by: "the server's next start with this file: it runs without one" };
}

/** Whether a reload would refuse the file as empty: a full disk may have left it so. */
function isRefusedAsEmpty({ text }: LoadedConfig, { declaredLimiters }: Running): boolean {
  return text.trim() === "" && declaredLimiters.length > 0;
}

function refusedAsEmpty(difference: Difference): Difference {
  if (difference.why !== "not-taken-up") return difference;
  const explanation = "refused: the file is empty; if no limiter is meant to be left, let it say limiters: []";
  return { ...difference, why: "refused", explanation };
}
