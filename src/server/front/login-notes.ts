/** Has logins written down, in the log and where operators' acts are. */

import type { Clock } from "../clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { Log } from "../log.ts";
import type { OnLogin } from "../transport/web/login-page.ts";
import { createSampler } from "./sampler.ts";

export interface LoginNotesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly engine: Pick<Engine, "note">;
}

/** Of those that are refused the log knows by their tokens already, and some have a line of the audit. */
export function createLoginNotes({ clock, log, engine }: LoginNotesOptions): OnLogin {
  const sampler = createSampler(clock);
  // What becomes of a line is the owner's affair.
  const note = (noted: Parameters<Engine["note"]>[0]) => void engine.note(noted).catch(() => {});
  return (told) => {
    if (told.event === "login-refused") {
      const more = sampler.take();
      if (more !== undefined) note({ ...told, more });
      return;
    }
    const { caller, peer } = told;
    if (told.event === "login") log.info({ event: "login", caller, peer }, "a page is logged in by a token");
    else log.info({ event: "logout", caller, peer }, "a page is logged out");
    note(told);
  };
}
