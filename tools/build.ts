/**
 * Builds the package into `dist/`: the client as modules with types, by `tsc`; the in-process limiter and the contract's services
 * as one module each, and the command line and its server, with what they need of other packages, as one program, by esbuild; and
 * the dashboard (`build-dashboard.ts`). So installing the client brings no server's dependencies.
 *
 * `node tools/build.ts [--out DIR]`; DIR is `dist` unless said otherwise.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, type Metafile } from "esbuild";
import { buildDashboard } from "./build-dashboard.ts";
import { bundleInProcess } from "./bundle-in-process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The program, and the threads that it starts. They stand in one folder: a thread's file is found beside its starter. */
const ENTRIES = [
  "src/cli/main.ts",
  "src/server/store/sqlite/worker.ts",
  "src/server/config/thread/config-worker.ts",
  "src/server/front/workers/transport-worker.ts",
];

const { values } = parseArgs({ options: { out: { type: "string", default: "dist" } } });
const out = resolve(ROOT, values.out);
rmSync(out, { recursive: true, force: true });
const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", out], { cwd: ROOT, stdio: "inherit" });
dropModules(out);
await bundleInProcess(join(out, "in-process/index.js"));
await bundleServices(join(out, "client/services.js"));
const program = join(out, "cli");
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ENTRIES,
  outdir: program,
  entryNames: "[name]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // What the client depends on is installed with it.
  external: Object.keys(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).dependencies),
  // Packages of CommonJS ask for Node's own modules by `require`.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  legalComments: "none",
  metafile: true,
});
const dashboard = await buildDashboard(join(out, "dashboard"));
writeFileSync(join(program, "THIRD-PARTY-LICENSES.txt"), licences(metafile, dashboard.metafile));

/**
 * Makes one module of the services of the contract, which shares none with the client. Otherwise esbuild puts the descriptions
 * that the client loads late into a page's first file, since something there exports them.
 */
async function bundleServices(outfile: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ["src/client/services.ts"],
    outfile,
    allowOverwrite: true,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "neutral",
    target: "es2022",
  });
}

/** Leaves the types alone of what is in a bundle: of the server's machine, and of the in-process limiter. */
function dropModules(folder: string): void {
  for (const part of ["server", "in-process"]) {
    for (const file of readdirSync(join(folder, part), { recursive: true, encoding: "utf8" })) {
      if (file.endsWith(".js")) rmSync(join(folder, part, file));
    }
  }
}

/** Returns the licence of each package that went into the program or its dashboard, as those ask for. */
function licences(...metafiles: readonly Metafile[]): string {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
  const folders = new Set(inputs.flatMap((input) => packageFolder(join(ROOT, input)) ?? []));
  return [...folders].sort().map(licence).join("\n\n");
}

function packageFolder(file: string): string | undefined {
  if (!file.includes("node_modules")) return undefined;
  let folder = dirname(file);
  while (!isPackage(folder)) folder = dirname(folder);
  return folder;
}

/** A `package.json` without a name only says how the files below it are to be read. */
function isPackage(folder: string): boolean {
  const path = join(folder, "package.json");
  return existsSync(path) && JSON.parse(readFileSync(path, "utf8")).name !== undefined;
}

function licence(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? "" : `\n\n${readFileSync(join(folder, file), "utf8").trim()}`;
  return `${name} ${version} (${license})${text}`;
}
