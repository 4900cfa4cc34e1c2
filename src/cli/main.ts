#!/usr/bin/env node
/** The process. It keeps what Node has compiled for the next time, which more than halves the time that a start takes. */

// As a whole, since an older Node has no such export and would say no more than that.
import module from "node:module";
import { asksToServe, serverSignals } from "./session/server-signals.ts";

/** The oldest major version of Node that the server's tests run on; the client library runs on an older one. */
const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  const args = process.argv.slice(2);
  if (asksToServe(args)) serverSignals();
  module.enableCompileCache();
  // Loaded from here on, so that the cache serves it.
  const { runCommandLine } = await import("./command-line.ts");
  process.exitCode = await runCommandLine(args);
} else {
  process.stderr.write(
    `backpressure: the command line and the server need Node ${OLDEST_NODE} or later, and this is ${process.version}; ` +
      "the client library runs on Node 22\n",
  );
  process.exitCode = 1;
}
