/** Around a whole run: what the suite itself prints is searched for secrets, too, and one fails the run. */

import { createSearch, takeLeaks } from "./leaks.ts";

/** Each project has this module for itself. */
const TAPPED = Symbol.for("backpressure: the suite's output is searched");

/** Called once for each project, in the process that prints for all of them; the first call taps it, and looks at the end. */
export default function setUp(): (() => void) | undefined {
  if (Reflect.get(process, TAPPED) === true) return undefined;
  Reflect.set(process, TAPPED, true);
  const restore = [process.stdout, process.stderr].map((stream) => {
    const take = createSearch(stream === process.stdout ? "the suite's standard output" : "the suite's standard error");
    const { write } = stream;
    stream.write = ((piece: string | Uint8Array, ...rest: []) => {
      take(typeof piece === "string" ? piece : Buffer.from(piece).toString("utf8"));
      return write.call(stream, piece, ...rest);
    }) as typeof write;
    return () => {
      stream.write = write;
    };
  });
  return () => {
    for (const each of restore) each();
    const leaks = takeLeaks();
    if (leaks.length === 0) return;
    throw new Error(leaks.map(({ from, kind, line }) => `${kind} was written to ${from}: ${line}`).join("\n"));
  };
}
