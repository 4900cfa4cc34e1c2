#!/usr/bin/env node
/** The process. It keeps what Node has compiled for the next time, which more than halves the time that a start takes. */

import { enableCompileCache } from "node:module";

enableCompileCache();
// Loaded from here on, so that the cache serves it.
const { runCommandLine } = await import("./command-line.ts");
process.exitCode = await runCommandLine(process.argv.slice(2));
