import { expect, test } from "vitest";
import { createCallSites, UNKNOWN_SITE } from "../../src/in-process/call-sites.ts";

/** Whether each of so many calls is looked at. */
function looks(sites: ReturnType<typeof createCallSites>, count: number): boolean[] {
  const look = () => sites.of(look);
  return Array.from({ length: count }, () => look() !== UNKNOWN_SITE);
}

test("the first hundred calls are looked at, then one in 128", () => {
  const seen = looks(createCallSites(), 1_024);
  expect(seen.slice(0, 100)).not.toContain(false);
  expect(seen.slice(100).filter(Boolean)).toHaveLength(8);
});

test("once it was said so, all are", () => {
  const sites = createCallSites();
  looks(sites, 200);
  sites.lookAtAll();
  expect(looks(sites, 200)).not.toContain(false);
});

test("what is seen is the caller's place", () => {
  const sites = createCallSites();
  const below = () => sites.of(below);
  expect(below()).toContain("call-sites.test.ts");
});
