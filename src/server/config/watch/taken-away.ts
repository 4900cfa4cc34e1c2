/** What a changed file may not take away unless it says so: who may call, and who may do what. Half a file must not open the server. */

import { isOnLoopback, saysWhoMayCall } from "../checks.ts";
import type { LoadedConfig } from "../config.ts";
import type { Problem } from "../problem.ts";
import { type ServerSettings, settingsInForce } from "../settings.ts";

export interface Running {
  /** What the server started with: of it stays in force what needs a restart. */
  readonly started: LoadedConfig;
  /** What it has taken up last. */
  readonly latest: LoadedConfig;
}

/** Returns why `next` is not taken up by a server that runs; empty: it is. */
export function problemsOfTaking(next: LoadedConfig, { started, latest }: Running): readonly Problem[] {
  const [before, after] = [latest, next].map(({ settings }) => settingsInForce(started.settings, settings));
  if (before === undefined || after === undefined || after.allowAnonymous) return [];
  const problem = (field: string, message: string): Problem => {
    return { place: { kind: "file", path: next.origin.path ?? "" }, field, message };
  };
  const problems: Problem[] = [];
  if (!saysWhoMayCall(after) && (saysWhoMayCall(before) || !staysOnLoopback(after))) {
    problems.push(problem("auth", NO_AUTH));
  }
  if (before.access !== undefined && after.access === undefined) problems.push(problem("access", NO_ACCESS));
  return problems;
}

function staysOnLoopback({ listeners: { grpc, web } }: ServerSettings): boolean {
  return isOnLoopback(grpc.host) && isOnLoopback(web.host);
}

const NO_AUTH =
  "is taken away, and no client certificates are asked for before a restart: if everybody is meant to call from now on, let the " +
  "file say allow_anonymous: true";
const NO_ACCESS =
  "is taken away: if every caller with a credential is meant to do everything from now on, write " +
  'access: [{ who: ["*"], may: [acquire, observe, operate], limiters: ["*"], boards: ["*"] }]; if everybody is, let the file ' +
  "say allow_anonymous: true";
