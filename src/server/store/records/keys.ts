/** The keys of rows. */

import { callerOf, keyOfCaller } from "../../machine/callers.ts";
import type { RowChange } from "../row.ts";

/** Returns what stands behind the kind in a key, for what has a name of several parts. */
export function nameOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

/** The kind of the store's own rows. */
export const OWN = "store";

/** The row of the store's own that says for how long the server has run. */
export const RUNNING_TIME = "running-time";

/** Returns a row of the store's own. */
export function ownRow(name: string, body: string): RowChange {
  return { key: `${OWN}:${name}`, body };
}

/** Returns the key under which a request id is remembered; `caller` undefined: the anonymous. */
export function requestKey({
  caller,
  requestId,
}: {
  readonly caller?: string | undefined;
  readonly requestId: string;
}): string {
  return `request:${keyOfCaller(callerOf({ caller }), requestId)}`;
}

/** Whether the key is that of a request id that is remembered. */
export function isPastRequest(key: string): boolean {
  return key.startsWith("request:");
}
