/** Makes the in-process limiter a global of its page. */

import * as inProcess from "../../../src/in-process/index.ts";

Object.assign(globalThis, { inProcess });
