// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its placeholders like this.

import { describe, expect, it } from "vitest";
import { type AccessEntry, allowingEntry, createAccessList } from "../../../src/server/access/access-list.ts";
import { ANONYMOUS, type Caller } from "../../../src/server/access/caller.ts";

function callerOf(name: string, about: Partial<Caller> = {}): Caller {
  return { name, kind: "token", tenant: "", groups: [], claims: {}, expiresAt: undefined, ...about };
}

function entryOf(about: Partial<AccessEntry>): AccessEntry {
  return { who: ["*"], may: ["acquire"], limiters: [], boards: [], keys: [], bounds: undefined, ...about };
}

const CI = callerOf("token:ci", { groups: ["sre"] });
const APP = callerOf("k8s:app", { kind: "jwt", tenant: "acme" });

describe("an entry is for", () => {
  it.each<[string, readonly string[], readonly Caller[]]>([
    ["every caller with a credential", ["*"], [CI, APP]],
    ["callers by name", ["token:ci"], [CI]],
    ["callers by a pattern", ["k8s:*", "x"], [APP]],
    ["callers of a group", ["group:sre"], [CI]],
    ["callers without a credential", ["anonymous"], [ANONYMOUS]],
    ["nobody, where a pattern names the anonymous", ["anon*"], []],
  ])("%s", (_, who, those) => {
    const list = createAccessList([entryOf({ who, limiters: ["db"] })]);
    const allowed = [CI, APP, ANONYMOUS].filter((caller) => list.of(caller).mayKey("acquire", "db", ""));
    expect(allowed).toEqual(those);
  });
});

describe("what is allowed", () => {
  it("adds up over entries, and is refused where none says it", () => {
    const rights = createAccessList([
      entryOf({ may: ["observe"], limiters: ["*"] }),
      entryOf({ limiters: ["payments-*"], boards: ["releases"] }),
    ]).of(CI);
    expect(rights.reach("observe", "anything")).toBe("whole");
    expect(rights.mayKey("acquire", "payments-db", "")).toBe(true);
    expect(rights.mayKey("acquire", "db", "")).toBe(false);
    expect(rights.reach("operate", "payments-db")).toBe("none");
    expect([rights.mayBoard("acquire", "releases"), rights.mayBoard("observe", "releases")]).toEqual([true, false]);
  });

  it("is nothing for a caller that no entry is for", () => {
    const rights = createAccessList([entryOf({ limiters: ["*"], boards: ["*"] })]).of(ANONYMOUS);
    expect([rights.mayKey("acquire", "db", ""), rights.mayBoard("acquire", "b"), rights.isKnown]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it("is some keys of a limiter, not the whole, where an entry names keys", () => {
    const rights = createAccessList([
      entryOf({ may: ["acquire", "observe"], limiters: ["tenants"], keys: ["${tenant}", "${tenant}/*"] }),
    ]).of(APP);
    expect(rights.mayKey("acquire", "tenants", "acme")).toBe(true);
    expect(rights.mayKey("acquire", "tenants", "acme/42")).toBe(true);
    expect(rights.mayKey("acquire", "tenants", "acmeother")).toBe(false);
    expect(rights.mayKey("acquire", "tenants", "")).toBe(false);
    expect(rights.reach("observe", "tenants")).toBe("keys");
  });

  it("is nothing where a value that keys ask for is missing, or has a star", () => {
    const list = createAccessList([entryOf({ limiters: ["tenants"], keys: ["${tenant}*"] })]);
    for (const tenant of ["", "*", "a*"]) {
      const rights = list.of(callerOf("k8s:x", { tenant }));
      expect([rights.mayKey("acquire", "tenants", "a"), rights.reach("acquire", "tenants")]).toEqual([false, "none"]);
    }
  });

  it("is all that there is, where entries name all limiters and all boards", () => {
    const all = entryOf({ may: ["operate"], limiters: ["*"], boards: ["*"] });
    expect(createAccessList([all]).of(CI).mayAll("operate")).toBe(true);
    expect(
      createAccessList([{ ...all, keys: ["*"] }])
        .of(CI)
        .mayAll("operate"),
    ).toBe(false);
    expect(
      createAccessList([{ ...all, boards: [] }])
        .of(CI)
        .mayAll("operate"),
    ).toBe(false);
  });

  it("stays the same for any number of names that are asked for", () => {
    const rights = createAccessList([entryOf({ limiters: ["even-*0"] })]).of(CI);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 3_000; i++) expect(rights.mayKey("acquire", `even-${i}`, "")).toBe(i % 10 === 0);
    }
  });
});

it("says of bounds what the first entry says that is for the caller and has some", () => {
  const bounds = (maxLeases: number) => ({ maxWaiters: 1, maxLeases });
  const list = createAccessList([
    entryOf({ who: ["k8s:*"], bounds: bounds(1) }),
    entryOf({}),
    entryOf({ bounds: bounds(2) }),
    entryOf({ bounds: bounds(3) }),
  ]);
  expect(list.of(APP).bounds).toEqual(bounds(1));
  expect(list.of(CI).bounds).toEqual(bounds(2));
  expect(list.of(ANONYMOUS).bounds).toBeUndefined();
});

it("names the first entry that allows something", () => {
  const entries = [
    entryOf({ limiters: ["db"] }),
    entryOf({ who: ["group:sre"], may: ["operate"], limiters: ["*"], boards: ["*"] }),
    entryOf({ who: ["group:sre"], may: ["operate"], limiters: ["db"] }),
  ];
  expect(allowingEntry(entries, CI, "acquire", { kind: "limiter", name: "db" })).toBe(0);
  expect(allowingEntry(entries, CI, "operate", { kind: "limiter", name: "db" })).toBe(1);
  expect(allowingEntry(entries, CI, "operate", { kind: "board", name: "b" })).toBe(1);
  expect(allowingEntry(entries, APP, "operate", { kind: "board", name: "b" })).toBeUndefined();
});
