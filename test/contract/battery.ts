/** All cases to which an engine is held. */

import { ADMISSION } from "./cases/admission.ts";
import { BOARDS } from "./cases/boards.ts";
import { CALLERS } from "./cases/callers.ts";
import { CHANGES } from "./cases/changes.ts";
import { DURABILITY } from "./cases/durability.ts";
import { LIVENESS } from "./cases/liveness.ts";
import { LOOKING } from "./cases/looking.ts";
import { REQUESTS } from "./cases/requests.ts";
import { SESSIONS } from "./cases/sessions.ts";
import { UNAVAILABILITY } from "./cases/unavailability.ts";
import type { Case } from "./stage.ts";

export const BATTERY: Readonly<Record<string, readonly Case[]>> = {
  admission: ADMISSION,
  durability: DURABILITY,
  "request ids": REQUESTS,
  callers: CALLERS,
  liveness: LIVENESS,
  sessions: SESSIONS,
  "limits that change": CHANGES,
  boards: BOARDS,
  "reads, pages and watches": LOOKING,
  unavailability: UNAVAILABILITY,
};
