/** Files of TLS for a test, which go with it. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder that goes with whatever has made it. */
export interface TlsFolder {
  readonly path: string;
  /** Writes a file, which others may not read unless `mode` says so, and returns its path. */
  write(name: string, text: string, mode?: number): string;
}

/** `atEnd`: takes what removes it; unset: the end of the test does. */
export function createTlsFolder(atEnd: (remove: () => void) => void = onTestFinished): TlsFolder {
  const path = mkdtempSync(join(tmpdir(), "backpressure-tls-"));
  atEnd(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    write(name, text, mode = 0o600) {
      const file = join(path, name);
      writeFileSync(file, text);
      chmodSync(file, mode);
      return file;
    },
  };
}
