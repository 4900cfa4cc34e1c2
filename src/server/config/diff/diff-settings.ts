/** Settings of the server: what the file says against what runs. */

import { type DescMessage, type JsonObject, toJson } from "@bufbuild/protobuf";
import { type Config, ConfigSchema } from "../../gen/ggen/backpressure/config/v1/config_pb.ts";
import { type GetConfigResponse, Origin } from "../../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { ConfigOrigin, LoadedConfig } from "../config.ts";
import { DATA_OPTION, DATA_VARIABLE } from "../data-choice.ts";
import { OVERRIDES, type Override } from "../environment.ts";
import { MACHINE_FIELDS, SETTING_FIELDS, type ServerSettings } from "../settings.ts";
import { settingsMessage } from "../settings-message.ts";
import type { Difference, TakeUp } from "./difference.ts";
import { fieldValues } from "./field-values.ts";

const NONE: ReadonlySet<never> = new Set();

/** What the file says, as the server would read it, and without the variables of the server's environment. */
export interface FileSettings {
  readonly settings: ServerSettings;
  readonly plain: Pick<LoadedConfig, "settings" | "origins">;
}

export function diffSettings(file: FileSettings, running: GetConfigResponse, takeUp: TakeUp): readonly Difference[] {
  const said = settingValues(settingsMessage(file.settings));
  const plain = settingValues(settingsMessage(file.plain.settings));
  const now = settingValues(running.config);
  return [...SETTING_FIELDS].flatMap(([field, { live }]): Difference[] => {
    const about = { kind: "setting", name: "", field, running: now.get(field) } as const;
    const origin = running.origins.find((each) => each.field === field);
    if (MACHINE_FIELDS.has(field) && origin === undefined && !file.plain.origins.has(field)) return [];
    if (origin?.origin === Origin.ENVIRONMENT && origin.variable !== DATA_VARIABLE) {
      // What the file leaves to its default is no difference.
      if (!file.plain.origins.has(field) || plain.get(field) === now.get(field)) return [];
      const explanation = `${origin.variable} in the server's environment stands for it, whatever the file says`;
      return [{ ...about, file: plain.get(field), why: "set-by-environment", explanation }];
    }
    if (said.get(field) === now.get(field)) return [];
    const changed = { ...about, file: said.get(field) };
    if (origin?.origin === Origin.OPTION) {
      const explanation = `the server was started with ${origin.variable}: its next start refuses the two together`;
      return [{ ...changed, why: "refused", explanation }];
    }
    if (live) return [{ ...changed, why: takeUp.why, explanation: `takes effect by ${takeUp.by}` }];
    return [
      { ...changed, why: "needs-restart", explanation: "takes effect at the server's next start, and not before" },
    ];
  });
}

/** What the server's environment and its command line say of settings. */
export function saidElsewhere({ config, origins }: GetConfigResponse): Pick<ConfigOrigin, "overrides" | "data"> {
  const values = settingValues(config);
  const overrides = OVERRIDES.flatMap((override): Override[] => {
    const path = `${override.section}.${override.field}`;
    const value = values.get(path);
    const stands = origins.some(({ field, variable }) => field === path && variable === override.variable);
    return stands && value !== undefined ? [{ ...override, value }] : [];
  });
  const isChosen = origins.some(({ variable }) => variable === DATA_VARIABLE || variable === DATA_OPTION);
  // As by the variable, since of a file that says otherwise the difference is to be named.
  return { overrides, data: isChosen ? { folder: values.get("store.folder"), by: "variable" } : undefined };
}

/** Returns values by path; none for a section that is missing. */
function settingValues(config: Config | undefined): ReadonlyMap<string, string | undefined> {
  const values = new Map<string, string | undefined>();
  if (config === undefined) return values;
  const sections = toJson(ConfigSchema, config, { useProtoFieldName: true }) as JsonObject;
  for (const section of ConfigSchema.fields) {
    if (SETTING_FIELDS.has(section.name)) {
      const value = sections[section.name];
      values.set(section.name, value === undefined ? undefined : JSON.stringify(value));
    }
    if (section.fieldKind !== "message" || sections[section.name] === undefined) continue;
    const message = config[section.localName as keyof Config] as never;
    for (const [name, text] of fieldValues<DescMessage>(section.message, message, NONE)) {
      values.set(`${section.name}.${name}`, text);
    }
  }
  return values;
}
