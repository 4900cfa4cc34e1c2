/** Reports what becomes of a lease, in the way that was asked for. */

import type { Context } from "../session/context.ts";
import { createLeaseJson } from "./lease-json.ts";
import type { LeaseNews, LeaseNewsOptions } from "./lease-news.ts";
import { createLeaseWords } from "./lease-words.ts";

/** Reports in words for people, or as JSON for scripts. */
export function createLeaseNews({ terminal, json }: Context, options: LeaseNewsOptions): LeaseNews {
  return json ? createLeaseJson(terminal) : createLeaseWords(terminal, options);
}
