/** Every page can be found from the README, comes with the package, and leads nowhere that is not there. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { files: SHIPPED }: { files: readonly string[] } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const DOCS = readdirSync(join(ROOT, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`);
const PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md", "bench/README.md", ...DOCS];

interface Link {
  /** The page that it is to, from the root; the part of that page, if it names one. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** The links of a page to what is in the repository. */
function linksOf(page: string): readonly Link[] {
  const prose = readFileSync(join(ROOT, page), "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", anchor] = target.split("#");
      return { path: file === "" ? page : relative(ROOT, join(ROOT, dirname(page), file)), anchor };
    });
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  const headings = readFileSync(join(ROOT, page), "utf8").matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("the README leads to every page of docs/", () => {
  const led = linksOf("README.md").map(({ path }) => path);
  expect(DOCS.filter((page) => !led.includes(page))).toEqual([]);
});

test.each(PAGES)("what %s leads to is there, and has the part that is named", (page) => {
  for (const { path, anchor } of linksOf(page)) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(path), path).toContain(anchor);
  }
});

test("the package has every page, and what the pages lead to", () => {
  // npm adds these to each package by itself.
  const shipped = [...SHIPPED, "README.md", "LICENSE", "package.json"];
  const isShipped = (path: string) => shipped.some((root) => path === root || path.startsWith(`${root}/`));
  const led = PAGES.filter((page) => page !== "bench/README.md" || isShipped(page)).flatMap((page) =>
    linksOf(page).map(({ path }) => path),
  );
  expect([...PAGES, ...led].filter((path) => !isShipped(path))).toEqual([]);
});
