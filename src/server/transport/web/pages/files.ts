/** The files of the dashboard, as `tools/build-dashboard.ts` has made them. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

export interface PageFile {
  /** Below the address of the page. */
  readonly path: string;
  readonly type: string;
  readonly etag: string;
  /** Whether its name says what it holds, so that it never changes. */
  readonly immutable: boolean;
  readonly contents: Buffer;
  readonly gzipped: Buffer;
}

/** As a package the files stand beside the program; a server that runs from its sources has those that `npm start` builds. */
const FOLDER = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../../../../../node_modules/.cache/dashboard" : "../dashboard",
    import.meta.url,
  ),
);

/**
 * Reads what the list names, and nothing else: what is in the folder besides is never served. Returns none where no dashboard was
 * built, as in a checkout in which only tests have run: the server then serves everything else.
 */
export function readPageFiles(folder = FOLDER): readonly PageFile[] {
  const list = join(folder, "files.json");
  if (!existsSync(list)) return [];
  const entries: Omit<PageFile, "contents" | "gzipped">[] = JSON.parse(readFileSync(list, "utf8"));
  return entries.map((entry) => {
    const gzipped = readFileSync(join(folder, `${entry.path}.gz`));
    return { ...entry, contents: gunzipSync(gzipped), gzipped };
  });
}
