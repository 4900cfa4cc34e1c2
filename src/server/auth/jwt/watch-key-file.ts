/** Loads the keys of an issuer anew when their file changes. */

import type { Clock } from "../../clock.ts";
import type { KeySource } from "../../config/auth-settings.ts";
import { watchPath } from "../../config/watch/watch-path.ts";
import type { Log } from "../../log.ts";
import type { KeyKeeper } from "./key-keeper.ts";

/** µs without news after which the file is read: its writer has probably finished. */
const QUIET = 100_000;

/** Returns what ends it. Does nothing for keys from a URL. */
export function watchKeyFile(
  source: KeySource,
  { keys, clock, log }: { readonly keys: KeyKeeper; readonly clock: Clock; readonly log: Log },
): () => void {
  if (source.kind === "url") return () => {};
  const { path } = source;
  let callOff = () => {};
  const watch = watchPath(path, {
    onNews() {
      callOff();
      callOff = clock.schedule(clock.now() + QUIET, false, () => {
        watch.follow();
        void keys.refresh();
      });
    },
    onError: (error) =>
      log.warn({ event: "keys-not-watched", path, error: error.message }, "cannot watch the keys of an issuer"),
  });
  return () => {
    callOff();
    watch.close();
  };
}
