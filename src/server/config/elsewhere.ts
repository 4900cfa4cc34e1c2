/** What is said of settings elsewhere than in the file: in the environment and on the command line. */

import { resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { LogLevelSchema } from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import type { Complaints } from "./complaints.ts";
import { DATA_OPTION, DATA_VARIABLE, type DataChoice } from "./data-choice.ts";
import type { Override } from "./environment.ts";
import { SETTING_FIELDS } from "./settings.ts";
import { quote, readEnum } from "./yaml/value.ts";

/** What has set a setting: the file, a variable of the environment or an option of the command line. */
export type SettingOrigin = { readonly kind: "file" } | { readonly kind: "variable" | "option"; readonly name: string };

const FOLDER = "store.folder";

/** Replaces a field of the file by the value of a variable. */
export function applyOverride(json: JsonObject, field: string, override: Override, complaints: Complaints): void {
  const section = (json[override.section] ?? {}) as JsonObject;
  const reading =
    override.field === "level"
      ? readEnum(LogLevelSchema, override.value)
      : ({ kind: "read", json: override.value } as const);
  if (reading.kind === "read") json[override.section] = { ...section, [override.field]: reading.json };
  else complaints.fault(field, `must be ${reading.expected}, found ${quote(override.value)}`);
}

/**
 * Puts the folder that was chosen in the place that the file leaves open; returns the choice where it counts. What the file
 * says wins over the environment, and must not contradict the command line.
 */
export function applyDataChoice(
  json: JsonObject,
  choice: DataChoice | undefined,
  complaints: Complaints,
): DataChoice | undefined {
  if (choice === undefined) return undefined;
  const store = (json.store ?? {}) as JsonObject;
  const { folder: said } = store;
  if (typeof said !== "string" || said === "") {
    if (choice.folder !== undefined) json.store = { ...store, folder: choice.folder };
    return choice;
  }
  const { folder = "none" } = choice;
  if (folder !== resolve(said)) {
    if (choice.by === "option")
      complaints.fault(FOLDER, `is ${quote(said)}, and ${DATA_OPTION} says ${folder}: leave one out`);
    if (choice.by === "variable") complaints.note(FOLDER, `wins over ${DATA_VARIABLE}, which says ${folder}`);
  }
  return undefined;
}

/** Returns what has set each setting that is not left to its default, by the path of its field. */
export function originsOf({
  places,
  variables,
  chosen,
}: {
  readonly places: ReadonlyMap<string, unknown>;
  readonly variables: ReadonlyMap<string, Override>;
  readonly chosen: DataChoice | undefined;
}): ReadonlyMap<string, SettingOrigin> {
  const origins = new Map<string, SettingOrigin>();
  for (const field of SETTING_FIELDS.keys()) {
    const variable = variables.get(field);
    if (variable !== undefined) origins.set(field, { kind: "variable", name: variable.variable });
    else if (places.has(field)) origins.set(field, { kind: "file" });
  }
  if (chosen?.by === "option") origins.set(FOLDER, { kind: "option", name: DATA_OPTION });
  if (chosen?.by === "variable") origins.set(FOLDER, { kind: "variable", name: DATA_VARIABLE });
  return origins;
}
