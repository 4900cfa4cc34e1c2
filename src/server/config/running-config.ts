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
import { msToTimestamp } from "../wire/time-wire.ts";
import type { LoadedConfig } from "./config.ts";
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
}

export function runningConfigMessage(running: RunningConfig): GetConfigResponse {
  const { started, latest, settings, startedAt, loadedAt } = running;
  const { path } = latest.origin;
  return create(GetConfigResponseSchema, {
    config: settingsMessage(settings),
    origins: originsOf(running),
    file: path === undefined ? "" : resolve(path),
    restartFields: [...restartFields(started.settings, latest.settings)],
    startTime: msToTimestamp(startedAt),
    loadTime: msToTimestamp(loadedAt),
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
