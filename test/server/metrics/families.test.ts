/** The names that alerts and dashboards are written for keep Prometheus' rules. */

import { describe, expect, test } from "vitest";
import { FAMILIES, type Family } from "../../../src/server/metrics/families.ts";

const all: readonly Family[] = Object.values(FAMILIES);

describe.each(all.map((family) => [family.name, family] as const))("%s", (name, { type, unit, help, convention }) => {
  test("has the prefix of the service, or the name of a convention", () => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    if (convention === undefined) expect(name).toMatch(/^backpressure_/);
    else expect(name).toBe(`${convention.replaceAll(".", "_")}_${unit}`);
  });

  test("ends in _total if and only if it counts, and in its unit before that", () => {
    expect(name.endsWith("_total")).toBe(type === "counter");
    if (unit !== undefined) expect(name.replace(/_total$/, "")).toMatch(new RegExp(`_${unit}$`));
  });

  test("says in one line what it is", () => {
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
  });
});

test("no two have one name", () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

test("only the families of keys that the configuration names have a key as a label", () => {
  const keyed = all.filter(({ labels }) => labels.includes("key")).map(({ name }) => name);
  expect(keyed).toEqual(keyed.filter((name) => name.startsWith("backpressure_limiter_key_")));
});
