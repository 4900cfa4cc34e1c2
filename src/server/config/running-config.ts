/** What a running server reports of its configuration. */

import { resolve } from "node:path";
import { create } from "@bufbuild/protobuf";
import {
  type FieldOrigin,
  FieldOriginSchema,
  type GetConfigResponse,
  GetConfigResponseSchema,
  Origin,
} from "../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { msToTimestamp, optionalTimestamp } from "../wire/time-wire.ts";
import type { LoadedConfig } from "./config.ts";
import { formatProblem, type Problem } from "./problem.ts";
import { restartFields, SETTING_FIELDS, type ServerSettings } from "./settings.ts";
import { settingsMessage } from "./settings-message.ts";

export interface RunningConfig {
  /** What it started with, and what it has taken up last. */
  readonly started: LoadedConfig;
  readonly latest: LoadedConfig;
  /** The settings of both that are in force. */
  readonly settings: ServerSettings;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly loadedAt: number;
  readonly version: string;
  readonly status: RunningStatus;
}

/** How the server stands. */
export interface RunningStatus {
  readonly draining: boolean;
  /** ms since 1970, when the learning of after the start ends, or has ended; undefined: there was none. */
  readonly learningEnds: number | undefined;
  /** Undefined: the store is well. */
  readonly storeProblem: string | undefined;
  /** The file as it was read last, where it was refused; undefined: it is in force. */
  readonly refusedFile: RefusedFile | undefined;
}

export interface RefusedFile {
  readonly problems: readonly Problem[];
  /** ms since 1970. */
  readonly at: number;
}

/** Problems of a refused file that are told. */
const MOST_TOLD = 20;

export function runningConfigMessage(running: RunningConfig): GetConfigResponse {
  const { started, latest, settings, startedAt, loadedAt, version, status } = running;
  const { path } = latest.origin;
  return create(GetConfigResponseSchema, {
    config: settingsMessage(settings),
    origins: originsOf(running),
    file: path === undefined ? "" : resolve(path),
    restartFields: [...restartFields(started.settings, latest.settings)],
    startTime: msToTimestamp(startedAt),
    loadTime: msToTimestamp(loadedAt),
    serverVersion: version,
    status: {
      draining: status.draining,
      learningEndTime: optionalTimestamp(status.learningEnds),
      storeProblem: status.storeProblem ?? "",
      fileProblems: (status.refusedFile?.problems ?? []).slice(0, MOST_TOLD).map(formatProblem),
      fileProblemCount: status.refusedFile?.problems.length ?? 0,
      fileRefuseTime: optionalTimestamp(status.refusedFile?.at),
    },
  });
}

const ORIGINS = { file: Origin.FILE, variable: Origin.ENVIRONMENT, option: Origin.OPTION } as const;

/** In the order of the fields' paths. */
function originsOf({ started, latest }: RunningConfig): FieldOrigin[] {
  const messages: FieldOrigin[] = [];
  for (const [field, { live }] of [...SETTING_FIELDS].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const setBy = (live ? latest : started).origins.get(field);
    if (setBy === undefined) continue;
    const variable = setBy.kind === "file" ? "" : setBy.name;
    messages.push(create(FieldOriginSchema, { field, origin: ORIGINS[setBy.kind], variable }));
  }
  return messages;
}
