/**
 * A real Chromium without a window; `npm ci` has brought all that it needs. It is set up as it is for people: none of the
 * arguments is taken that its package and its driver suggest, since they turn off CORS and the throttling of hidden pages.
 */

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Browser, chromium, type LaunchOptions } from "playwright-core";

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const UNPACKER = fileURLToPath(new URL("./unpack-chromium.ts", import.meta.url));
const UNPACKED = join(ROOT, "node_modules/.cache/chromium");

const FONTS = "fonts.conf";

/** Nothing but what it takes to be driven, and to leave the network in peace. */
const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--remote-debugging-pipe",
  "--no-startup-window",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Containers have little of it.
  "--disable-dev-shm-usage",
];

export interface ChromiumOptions {
  /** SHA-256 of the public keys, in Base64, that a certificate may have whatever its authority is. */
  readonly trustedKeys?: readonly string[];
  /** Names of hosts that lead to this machine, as name servers of anyone could have them do. */
  readonly namesOfThisMachine?: readonly string[];
}

/** Starts one with an empty profile. */
export async function launchChromium(options: ChromiumOptions = {}): Promise<Browser> {
  const { trustedKeys = [], namesOfThisMachine = [] } = options;
  const rules = namesOfThisMachine.map((name) => `MAP ${name} 127.0.0.1`);
  const profile = mkdtempSync(join(tmpdir(), "backpressure-chromium-"));
  const browser = await chromium.launch({
    ...(await findExecutable()),
    ignoreDefaultArgs: true,
    args: [
      ...ARGUMENTS,
      `--user-data-dir=${profile}`,
      ...(trustedKeys.length > 0 ? [`--ignore-certificate-errors-spki-list=${trustedKeys.join(",")}`] : []),
      ...(rules.length > 0 ? [`--host-resolver-rules=${rules.join(",")}`] : []),
    ],
  });
  browser.once("disconnected", () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
  return browser;
}

/** The package is for Linux on x64; elsewhere there has to be a Chrome. */
async function findExecutable(): Promise<LaunchOptions> {
  if (process.platform !== "linux" || process.arch !== "x64") return { channel: "chrome" };
  const folder = await unpack();
  const executablePath = join(folder, "chromium");
  const { LD_LIBRARY_PATH = "", ...others } = process.env;
  const fonts = { FONTCONFIG_FILE: join(folder, FONTS) };
  if (await starts(executablePath)) return { executablePath, env: { ...others, LD_LIBRARY_PATH, ...fonts } };
  // The package carries the libraries that a bare machine has not: NSS, NSPR and expat.
  const libraries = [join(folder, "al2023/lib"), LD_LIBRARY_PATH].filter(Boolean).join(":");
  return { executablePath, env: { ...others, LD_LIBRARY_PATH: libraries, ...fonts } };
}

async function starts(executable: string): Promise<boolean> {
  try {
    await run(executable, ["--version"]);
    return true;
  } catch (error) {
    if (/error while loading shared libraries/.test(String(error))) return false;
    throw error;
  }
}

/**
 * Unpacks the package, once for all runs. It takes any file that it finds unpacked for a whole one, and test files run
 * side by side: so each unpacks into a folder of its own, and the first is kept.
 */
async function unpack(): Promise<string> {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const folder = join(UNPACKED, devDependencies["@sparticuz/chromium"]);
  if (existsSync(folder)) return folder;
  mkdirSync(UNPACKED, { recursive: true });
  const own = mkdtempSync(join(UNPACKED, "unpacking-"));
  // It unpacks its libraries only where it believes to be in an environment like this.
  await run(process.execPath, [UNPACKER], {
    env: { ...process.env, TMPDIR: own, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x" },
  });
  writeFileSync(join(own, FONTS), fontsOf(folder));
  try {
    renameSync(own, folder);
  } catch (error) {
    rmSync(own, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** The package's own list of fonts is for where it unpacks itself to by default. Without a font all text is of no size: hidden. */
function fontsOf(folder: string): string {
  return `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>\n`;
}
