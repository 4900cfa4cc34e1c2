/** The environment: the only file that reads it for the server. */

import { DATA_VARIABLE, type DataChoice, readDataChoice } from "./data-choice.ts";
import type { Variables } from "./yaml/interpolate.ts";

export interface Environment {
  /** BACKPRESSURE_CONFIG: the file, where no flag names one. */
  readonly configPath: string | undefined;
  readonly overrides: readonly Override[];
  /** BACKPRESSURE_DATA: where data is kept, if the file does not say. */
  readonly data: DataChoice | undefined;
  /** All of them, for the file to refer to. */
  readonly variables: Variables;
}

/** A variable that stands for a field of the file, and wins over it. */
export interface Override {
  readonly variable: string;
  readonly section: "listeners" | "logging" | "store";
  readonly field: "grpc" | "web" | "level" | "folder";
  readonly value: string;
}

/** Which variables there are. */
export const OVERRIDES = [
  { variable: "BACKPRESSURE_GRPC_LISTEN", section: "listeners", field: "grpc" },
  { variable: "BACKPRESSURE_WEB_LISTEN", section: "listeners", field: "web" },
  { variable: "BACKPRESSURE_STORE_FOLDER", section: "store", field: "folder" },
  { variable: "BACKPRESSURE_LOG_LEVEL", section: "logging", field: "level" },
] as const;

/**
 * What the environment says of the configuration; an empty variable says nothing. Others that begin with BACKPRESSURE_
 * are left alone: Kubernetes sets such for a service of that name.
 */
export function readEnvironment(variables: Variables = process.env): Environment {
  const overrides = OVERRIDES.flatMap((override): Override[] => {
    const value = variables[override.variable];
    return value ? [{ ...override, value }] : [];
  });
  const place = variables[DATA_VARIABLE];
  const data = place ? readDataChoice(place, "variable") : undefined;
  return { configPath: variables.BACKPRESSURE_CONFIG || undefined, overrides, data, variables };
}
