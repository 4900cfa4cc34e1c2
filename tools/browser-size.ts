/**
 * Checks what the client costs a page: packs the package, bundles `import { connect } from "ggen-backpressure"` by esbuild, as an
 * application would, and compares what a page loads at first, gzipped, with the bound. Where that is too much, its modules are
 * named, the largest first. `npm run build` comes before.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build, type Metafile } from "esbuild";

/** The most that a page loads before its first call, in bytes, gzipped. */
const MOST_AT_FIRST = 50_000;

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Modules of what a page loads at first with their bytes, minified, the largest first. */
type Modules = readonly (readonly [name: string, bytes: number])[];

interface Sizes {
  readonly atFirst: number;
  readonly late: Readonly<Record<string, number>>;
  readonly asOneFile: number;
  readonly modules: Modules;
}

const folder = mkdtempSync(join(tmpdir(), "browser-size-"));
try {
  report(await measure(unpack(folder)));
} finally {
  rmSync(folder, { recursive: true });
}

/** Returns a folder in which the packed package is installed. */
function unpack(app: string): string {
  const installed = join(app, "node_modules/ggen-backpressure");
  mkdirSync(installed, { recursive: true });
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", app];
  const archive = join(app, execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8" }).trim());
  execFileSync("tar", ["-xzf", archive, "--strip-components=1", "-C", installed]);
  return app;
}

async function measure(app: string): Promise<Sizes> {
  const options = {
    stdin: { contents: 'import { connect } from "ggen-backpressure"; globalThis.connect = connect;', resolveDir: app },
    absWorkingDir: app,
    nodePaths: [join(ROOT, "node_modules")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "out",
    write: false,
    metafile: true,
  } satisfies BuildOptions;
  const [split, whole] = await Promise.all([build({ ...options, splitting: true }), build(options)]);
  const gzipped = new Map(split.outputFiles.map(({ path, contents }) => [path, gzipSync(contents).length]));
  const sizeOf = (output: string) => gzipped.get(join(app, output)) ?? 0;
  const { outputs } = split.metafile;
  const first = staticImports(outputs, "out/stdin.js");
  const late: Record<string, number> = {};
  for (const [output, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint === undefined || first.has(output)) continue;
    const own = [...staticImports(outputs, output)].filter((needed) => !first.has(needed));
    late[nameOf(entryPoint)] = own.reduce((sum, needed) => sum + sizeOf(needed), 0);
  }
  return {
    atFirst: [...first].reduce((sum, output) => sum + sizeOf(output), 0),
    late,
    asOneFile: whole.outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0),
    modules: modulesOf(outputs, first),
  };
}

type Outputs = Metafile["outputs"];

/** Returns the files that are loaded with `output`, itself included. */
function staticImports(outputs: Outputs, output: string, found = new Set<string>()): Set<string> {
  if (found.has(output)) return found;
  found.add(output);
  for (const { path, kind } of outputs[output]?.imports ?? []) {
    if (kind === "import-statement") staticImports(outputs, path, found);
  }
  return found;
}

function modulesOf(outputs: Outputs, files: ReadonlySet<string>): Modules {
  const inputs = [...files].flatMap((file) => Object.entries(outputs[file]?.inputs ?? {}));
  const sizes = inputs.map(([input, { bytesInOutput }]) => [nameOf(input), bytesInOutput] as const);
  return sizes.filter(([, bytes]) => bytes > 0).sort(([, one], [, other]) => other - one);
}

/** Returns the path inside of the last `node_modules`. */
function nameOf(path: string): string {
  return path.split("node_modules/").at(-1) ?? path;
}

function report({ atFirst, late, asOneFile, modules }: Sizes): void {
  console.log(`at first ${kB(atFirst)} gz, of at most ${kB(MOST_AT_FIRST)}`);
  for (const [part, bytes] of Object.entries(late)) console.log(`${part}, when it is first used: ${kB(bytes)} gz`);
  console.log(`everything in one file, by a bundler that does not split: ${kB(asOneFile)} gz`);
  if (atFirst <= MOST_AT_FIRST) return;
  console.error("\ntoo much; its modules (bytes, minified):");
  for (const [name, bytes] of modules) console.error(`${String(bytes).padStart(8)}  ${name}`);
  process.exitCode = 1;
}

function kB(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
