/**
 * Builds the dashboard: scripts and styles named after their content, and the page that loads them, each gzipped, as browsers take
 * them; and `files.json`, the list of all that the server reads (`src/server/transport/web/pages/`).
 *
 * `node tools/build-dashboard.ts` builds it for a server that runs from the sources, as `npm start` does before it starts one.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildResult, build, type Metafile } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where a server that runs from the sources looks for it. */
const OF_SOURCES = join(ROOT, "node_modules/.cache/dashboard");
const LIST = "files.json";
/** ms for which files of an earlier build stay: a server may be about to read them. */
const GRACE = 60_000;

const SCRIPT = "src/dashboard/main.tsx";
const STYLE = "src/dashboard/style/main.css";
const PAGE = "src/dashboard/index.html";

interface BuiltFile {
  /** Below the folder, and below the page's address. */
  readonly path: string;
  readonly type: string;
  readonly etag: string;
  /** Whether its name says what it holds, so that it never changes. */
  readonly immutable: boolean;
}

export interface Dashboard {
  readonly metafile: Metafile;
  /** Path and text of each script and style sheet. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Writes it into `folder`, in which the build before may stand: the list comes last, at one instant. */
export async function buildDashboard(folder: string): Promise<Dashboard> {
  const { outputFiles, metafile } = await bundle();
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  mkdirSync(folder, { recursive: true });
  const list = [...files].map(([path, contents]) => write(folder, path, contents, true));
  list.push(write(folder, "index.html", Buffer.from(pageOf(metafile)), false));
  replace(join(folder, LIST), JSON.stringify(list, undefined, 1));
  dropOld(folder, new Set(list.map(({ path }) => `${path}.gz`)));
  return { metafile, files };
}

function bundle(): Promise<BuildResult<{ write: false; metafile: true }>> {
  return build({
    absWorkingDir: ROOT,
    entryPoints: [SCRIPT, STYLE],
    outdir: "dashboard",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: ["es2022", "chrome111", "firefox114", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    write: false,
    metafile: true,
  });
}

/** Returns the page with the names of what it loads at first. */
function pageOf({ outputs }: Metafile): string {
  const outputOf = (entry: string) => {
    const [found] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry) ?? [];
    if (found === undefined) throw new Error(`the build has made nothing of ${entry}`);
    return found;
  };
  const script = outputOf(SCRIPT);
  const chunks = (outputs[script]?.imports ?? []).filter(({ kind }) => kind === "import-statement");
  const preloads = chunks.map(({ path }) => `<link rel="modulepreload" href="${basename(path)}">`).join("");
  return readFileSync(join(ROOT, PAGE), "utf8")
    .replace("%style%", basename(outputOf(STYLE)))
    .replace("%script%", basename(script))
    .replace("%preloads%", preloads);
}

function write(folder: string, path: string, contents: Uint8Array, immutable: boolean): BuiltFile {
  replace(join(folder, `${path}.gz`), gzipSync(contents, { level: 9 }));
  const etag = createHash("sha256").update(contents).digest("base64url").slice(0, 22);
  return { path, type: typeOf(path), etag, immutable };
}

function typeOf(path: string): string {
  if (path.endsWith(".js")) return "text/javascript; charset=utf-8";
  return path.endsWith(".css") ? "text/css; charset=utf-8" : "text/html; charset=utf-8";
}

/** Several builds at once, as of several `npm start`, write the same. */
function replace(path: string, contents: string | Uint8Array): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, contents);
  renameSync(draft, path);
}

function dropOld(folder: string, current: ReadonlySet<string>): void {
  for (const name of readdirSync(folder)) {
    if (name === LIST || current.has(name)) continue;
    const path = join(folder, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > GRACE) rmSync(path, { force: true });
  }
}

/** Builds what a server that runs from the sources serves. */
export async function buildForSources(): Promise<void> {
  await buildDashboard(OF_SOURCES);
}

if (import.meta.main) await buildForSources();
