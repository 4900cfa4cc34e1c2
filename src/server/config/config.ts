/** The configuration: from a file to what the server is made of, or to all that is wrong with it. */

import { fromJson } from "@bufbuild/protobuf";
import { ConfigSchema } from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import type { Board } from "../gen/ggen/backpressure/v1/board_pb.ts";
import type { BoardConfig } from "../machine/board/model.ts";
import type { LimiterConfig } from "../machine/limiter/limiter.ts";
import { BOARD_OUTPUT_FIELDS, boardConfig } from "../wire/board-wire.ts";
import type { FieldViolation } from "../wire/error-wire.ts";
import { OUTPUT_FIELDS as LIMITER_OUTPUT_FIELDS } from "../wire/limiter-update.ts";
import { limiterConfig } from "../wire/limiter-wire.ts";
import { violationsOf } from "../wire/validate.ts";
import { checkTogether } from "./checks.ts";
import { Complaints } from "./complaints.ts";
import { readConfigFile } from "./config-file.ts";
import type { DataChoice } from "./data-choice.ts";
import { DEFAULT_CONFIG } from "./default-config.ts";
import { applyDataChoice, applyOverride, originsOf, type SettingOrigin } from "./elsewhere.ts";
import type { Override } from "./environment.ts";
import type { Problem } from "./problem.ts";
import { type ServerSettings, serverSettings } from "./settings.ts";
import type { Variables } from "./yaml/interpolate.ts";
import { readMessage } from "./yaml/message.ts";
import { parseYaml } from "./yaml/source.ts";

export interface ConfigOrigin {
  /** The file; undefined: none, but the default. */
  readonly path: string | undefined;
  /** What the environment says instead of the file. */
  readonly overrides: readonly Override[];
  /** Where data is kept, if the file does not say; undefined: nowhere. */
  readonly data?: DataChoice | undefined;
  /** What may stand in the file as `${NAME}`; undefined: nothing. */
  readonly variables?: Variables;
}

export type ConfigReading = LoadedConfig | InvalidConfig;

export interface LoadedConfig {
  readonly kind: "loaded";
  readonly origin: ConfigOrigin;
  /** As it stood in the file. */
  readonly text: string;
  readonly settings: ServerSettings;
  /** What has set each setting that is not left to its default, by the path of its field. */
  readonly origins: ReadonlyMap<string, SettingOrigin>;
  /** In the order of the file, each name once. */
  readonly limiters: readonly LimiterConfig[];
  readonly boards: readonly BoardConfig[];
  /** By board: the earlier names of its renamed stages, by their new ones. */
  readonly renamedStages: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Fields that are valid but have no effect beside the others, and why. */
  readonly notes: readonly Problem[];
}

/** Output fields of what is declared: they cannot be set. */
const OUTPUT_FIELDS = new Set([...LIMITER_OUTPUT_FIELDS, ...BOARD_OUTPUT_FIELDS]);

export interface InvalidConfig {
  readonly kind: "invalid";
  /** All that is wrong, at least one thing. */
  readonly problems: readonly Problem[];
}

/** Reads and checks the configuration; never throws for what it finds. */
export function loadConfig(origin: ConfigOrigin): ConfigReading {
  if (origin.path === undefined) return parseConfig(DEFAULT_CONFIG, origin);
  const reading = readConfigFile(origin.path);
  if (reading.kind === "unreadable") return { kind: "invalid", problems: [reading.problem] };
  return parseConfig(reading.text, origin);
}

/** Checks a configuration that has been read; never throws for what stands in it. */
export function parseConfig(text: string, origin: ConfigOrigin): ConfigReading {
  const path = origin.path ?? "the default configuration";
  const variables = new Map(origin.overrides.map((override) => [`${override.section}.${override.field}`, override]));
  const { source, findings } = parseYaml(text);
  if (findings.length > 0) {
    // Of a file that cannot be parsed the rest would be guesses.
    return {
      kind: "invalid",
      problems: new Complaints({ path, source, places: new Map(), variables }, findings).problems,
    };
  }
  const {
    json,
    places,
    findings: misread,
  } = readMessage(source, ConfigSchema, {
    outputFields: OUTPUT_FIELDS,
    variables: origin.variables ?? {},
  });
  const complaints = new Complaints({ path, source, places, variables }, misread);
  for (const [field, override] of variables) applyOverride(json, field, override, complaints);
  const chosen = applyDataChoice(json, origin.data, complaints);
  const config = fromJson(ConfigSchema, json);
  complaints.violations(violationsOf(ConfigSchema, config));
  const limiters = readDeclared("limiters", config.limiters, limiterConfig, complaints);
  const readings = readDeclared("boards", config.boards, readBoard, complaints);
  const boards = readings.map((reading) => reading.config);
  const renamedStages = new Map(readings.map((reading) => [reading.config.name, reading.renamed]));
  const settings = serverSettings(config);
  checkTogether(config, settings, complaints);
  const { problems, notes } = complaints;
  return problems.length > 0
    ? { kind: "invalid", problems }
    : {
        kind: "loaded",
        origin,
        text,
        settings,
        origins: originsOf({ places, variables, chosen }),
        limiters,
        boards,
        renamedStages,
        notes,
      };
}

type Reading<C> =
  | { readonly kind: "valid"; readonly config: C }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

/** Reads a board and the renames of its stages, which must not form a circle. */
function readBoard(
  message: Board,
  field: string,
): Reading<{ config: BoardConfig; renamed: ReadonlyMap<string, string> }> {
  const reading = boardConfig(message, field);
  if (reading.kind === "invalid") return reading;
  const { config, renamed } = reading;
  const violations = message.stages.flatMap(({ name }, index): FieldViolation[] => {
    let before = renamed.get(name);
    for (let step = 0; step < renamed.size && before !== undefined && before !== name; step++)
      before = renamed.get(before);
    if (before !== name) return [];
    const description =
      "must not be renamed in a circle: rename by way of a name of its own, one change of the file at a time";
    return [{ field: `${field}.stages[${index}].renamed_from`, description, reason: "stage.renamed_from" }];
  });
  return violations.length > 0 ? { kind: "invalid", violations } : { kind: "valid", config: { config, renamed } };
}

function readDeclared<M extends { readonly name: string }, C>(
  list: "limiters" | "boards",
  messages: readonly M[],
  read: (message: M, field: string) => Reading<C>,
  complaints: Complaints,
): readonly C[] {
  checkNames(list, messages, complaints);
  return messages.flatMap((message, index) => {
    const reading = read(message, `${list}[${index}]`);
    if (reading.kind === "valid") return [reading.config];
    complaints.violations(reading.violations);
    return [];
  });
}

function checkNames(list: string, messages: readonly { readonly name: string }[], complaints: Complaints): void {
  const named = new Map<string, string>();
  for (const [index, { name }] of messages.entries()) {
    const field = `${list}[${index}].name`;
    const first = named.get(name);
    if (first === undefined) named.set(name, field);
    else if (name !== "")
      complaints.fault(field, `must be a name of its own, found that of line ${complaints.lineOf(first)}`);
  }
}
