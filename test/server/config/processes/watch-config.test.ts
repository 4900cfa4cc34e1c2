import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Clock, createSystemClock } from "../../../../src/server/clock.ts";
import { loadConfig, parseConfig } from "../../../../src/server/config/config.ts";
import { type ConfigWatch, watchConfig } from "../../../../src/server/config/watch/watch-config.ts";
import type { Log, LogFields } from "../../../../src/server/log.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-watch-"));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file with one limiter, whose name tells one text from another. */
const textOf = (name: string) => `limiters: [{name: ${name}, max_concurrent: 1}]\n`;

interface Watched {
  readonly watch: ConfigWatch;
  /** The limiters' names of each configuration that was taken up. */
  readonly taken: string[];
  /** The texts that were parsed. */
  readonly parsed: string[];
  /** What was logged, and what of that above `info`. */
  readonly said: string[];
  readonly complaints: string[];
  /** Resolves when that is so; looked at after each thing that happens. The test's own timeout bounds it. */
  until(condition: () => boolean): Promise<void>;
}

function start(path: string | undefined, clock: Clock = createSystemClock()): Watched {
  const running = loadConfig({ path, overrides: [] });
  if (running.kind === "invalid") throw new Error("the first text must be good");
  const taken: string[] = [];
  const parsed: string[] = [];
  const said: string[] = [];
  const complaints: string[] = [];
  const looks = new Set<() => void>();
  const happened = () => {
    for (const look of looks) look();
  };
  const say = (_fields: LogFields, message: string) => {
    said.push(message);
    happened();
  };
  const complain = (fields: LogFields, message: string) => {
    complaints.push(message);
    say(fields, message);
  };
  const log: Log = {
    isDebugging: true,
    debug: say,
    info: say,
    warn: complain,
    error: complain,
    setLevel: () => {},
  };
  const noticed: Clock = {
    ...clock,
    schedule: (at, precise, callback) => {
      const callOff = clock.schedule(at, precise, callback);
      happened();
      return callOff;
    },
  };
  const watch = watchConfig({
    running,
    log,
    clock: noticed,
    parse: async (text, origin) => {
      parsed.push(text);
      return parseConfig(text, origin);
    },
    onChange: ({ limiters }) => {
      taken.push(limiters.map(({ name }) => name).join());
      happened();
    },
  });
  cleanUps.push(() => watch.close());
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!condition()) return;
        looks.delete(look);
        resolve();
      };
      looks.add(look);
      look();
    });
  return { watch, taken, parsed, said, complaints, until };
}

interface Way {
  readonly way: string;
  /** Puts the first text where the path leads. */
  place(folder: string): string;
  /** Changes it; `turn` counts from 1. */
  change(folder: string, text: string, turn: number): void;
}

const inPlace: Way = {
  way: "a write in place",
  place(folder) {
    const path = join(folder, "backpressure.yaml");
    writeFileSync(path, textOf("first"));
    return path;
  },
  change: (folder, text) => writeFileSync(join(folder, "backpressure.yaml"), text),
};

/** As Kubernetes mounts a ConfigMap: the file is a link through `..data`, which is swapped for another folder. */
function placeVersion(folder: string, version: number, text: string): void {
  mkdirSync(join(folder, `..v${version}`));
  writeFileSync(join(folder, `..v${version}`, "backpressure.yaml"), text);
  symlinkSync(`..v${version}`, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
}

const ways: readonly Way[] = [
  inPlace,
  {
    ...inPlace,
    way: "a rename over it",
    change(folder, text) {
      writeFileSync(join(folder, "new.yaml"), text);
      renameSync(join(folder, "new.yaml"), join(folder, "backpressure.yaml"));
    },
  },
  {
    ...inPlace,
    way: "its deletion and return",
    change(folder, text) {
      rmSync(join(folder, "backpressure.yaml"));
      writeFileSync(join(folder, "backpressure.yaml"), text);
    },
  },
  {
    way: "the swap of a ConfigMap",
    place(folder) {
      placeVersion(folder, 0, textOf("first"));
      symlinkSync("..data/backpressure.yaml", join(folder, "backpressure.yaml"));
      return join(folder, "backpressure.yaml");
    },
    change(folder, text, turn) {
      placeVersion(folder, turn, text);
      rmSync(join(folder, `..v${turn - 1}`), { recursive: true });
    },
  },
  {
    way: "another target of a link to its folder",
    place(folder) {
      mkdirSync(join(folder, "v0"));
      writeFileSync(join(folder, "v0", "backpressure.yaml"), textOf("first"));
      symlinkSync("v0", join(folder, "current"));
      return join(folder, "current", "backpressure.yaml");
    },
    change(folder, text, turn) {
      mkdirSync(join(folder, `v${turn}`));
      writeFileSync(join(folder, `v${turn}`, "backpressure.yaml"), text);
      symlinkSync(`v${turn}`, join(folder, "next"));
      renameSync(join(folder, "next"), join(folder, "current"));
    },
  },
  {
    way: "a write behind a link to it",
    place(folder) {
      mkdirSync(join(folder, "elsewhere"));
      writeFileSync(join(folder, "elsewhere", "real.yaml"), textOf("first"));
      symlinkSync(join(folder, "elsewhere", "real.yaml"), join(folder, "backpressure.yaml"));
      return join(folder, "backpressure.yaml");
    },
    change: (folder, text) => writeFileSync(join(folder, "elsewhere", "real.yaml"), text),
  },
  {
    way: "the deletion and return of its folder",
    place(folder) {
      mkdirSync(join(folder, "etc"));
      writeFileSync(join(folder, "etc", "backpressure.yaml"), textOf("first"));
      return join(folder, "etc", "backpressure.yaml");
    },
    change(folder, text) {
      rmSync(join(folder, "etc"), { recursive: true });
      mkdirSync(join(folder, "etc"));
      writeFileSync(join(folder, "etc", "backpressure.yaml"), text);
    },
  },
  {
    way: "the exchange of its folder",
    place(folder) {
      mkdirSync(join(folder, "etc"));
      writeFileSync(join(folder, "etc", "backpressure.yaml"), textOf("first"));
      return join(folder, "etc", "backpressure.yaml");
    },
    change(folder, text, turn) {
      mkdirSync(join(folder, "new"));
      writeFileSync(join(folder, "new", "backpressure.yaml"), text);
      renameSync(join(folder, "etc"), join(folder, `old${turn}`));
      renameSync(join(folder, "new"), join(folder, "etc"));
    },
  },
];

describe("a change is taken up, again and again, that comes by", () => {
  it.each(ways)("$way", { timeout: 10_000 }, async ({ place, change }) => {
    const folder = newFolder();
    const { taken, complaints, until } = start(place(folder));
    for (const turn of [1, 2, 3]) {
      change(folder, textOf(`turn${turn}`), turn);
      await until(() => taken.length === turn);
    }
    expect(taken).toEqual(["turn1", "turn2", "turn3"]);
    expect(complaints).toEqual([]);
  });
});

describe("what is in force stays", { timeout: 10_000 }, () => {
  it("while the file is bad, and each problem is logged", async () => {
    const folder = newFolder();
    const path = inPlace.place(folder);
    const { taken, complaints, until } = start(path);
    inPlace.change(folder, "limits: {max_waiters: 0}\nquotas: 5\n", 1);
    await until(() => complaints.length === 3);
    expect(complaints).toEqual([
      `${path}:1:10: limits.max_waiters: must be a whole number from 1 to 1,000,000, found 0`,
      `${path}:2:1: quotas: no such field; there are listeners, limits, liveness, drain, limiters, boards, logging, store, workers, traces, metrics, access, bounds, audit, tls, auth, allow_anonymous`,
      "the configuration file is not taken up; what is in force stays",
    ]);
    inPlace.change(folder, textOf("mended"), 2);
    await until(() => taken.length > 0);
    expect(taken).toEqual(["mended"]);
  });

  it("while the file is gone, which is logged once; coming back as it was it is no change", async () => {
    const folder = newFolder();
    const path = inPlace.place(folder);
    const { taken, complaints, until } = start(path);
    rmSync(path);
    await until(() => complaints.length === 2);
    expect(complaints[0]).toBe(`${path}: there is no such file`);
    inPlace.change(folder, textOf("first"), 1);
    inPlace.change(folder, textOf("second"), 2);
    await until(() => taken.length > 0);
    expect(taken).toEqual(["second"]);
    expect(complaints).toHaveLength(2);
  });

  it("while the file is empty, as a disk that is full leaves it", async () => {
    const folder = newFolder();
    const path = inPlace.place(folder);
    const { taken, complaints, until } = start(path);
    inPlace.change(folder, "", 1);
    await until(() => complaints.length === 2);
    expect(complaints[0]).toBe(`${path}: is empty; if no limiter is meant to be left, let it say limiters: []`);
    inPlace.change(folder, "limiters: []\n", 2);
    await until(() => taken.length > 0);
    expect(taken).toEqual([""]);
  });
});

const ASKS = `auth: { tokens: [{ name: ci, sha256: ["${"0".repeat(64)}"] }] }\n`;
const ALLOWS = 'access: [{ who: ["*"], may: [observe], limiters: ["*"] }]\n';
const OPEN = "allow_anonymous: true\n";
const NO_AUTH = /: auth: is taken away, .* let the file say allow_anonymous: true$/;
const NO_ACCESS =
  /: access: is taken away: .* write access: \[.*\]; if everybody is, let the file say allow_anonymous: true$/;
/** A client CA counts after a restart alone. */
const CLIENT_CA = "tls: { cert_file: c, key_file: k, client_ca_file: ca }\n";

/** What of the first file is missing in the second, and what the log says of it. */
const TAKEN_AWAY: readonly (readonly [string, string, string, readonly RegExp[]])[] = [
  ["who may call", ASKS, "", [NO_AUTH]],
  ["who may call, for lack of a value", ASKS, "auth:\n", [NO_AUTH]],
  ["all who may call, by an empty section", ASKS, "auth: {}\n", [/must name somebody who may call/]],
  ["all who may call, by empty lists", ASKS, "auth: { tokens: [], jwt: [] }\n", [/must name somebody who may call/]],
  ["who may call, in favour of a client CA that needs a restart", ASKS, CLIENT_CA, [NO_AUTH]],
  ["who may do what", ASKS + ALLOWS, ASKS, [NO_ACCESS]],
  ["who may do what, by an empty list", ASKS + ALLOWS, `${ASKS}access: []\n`, [NO_ACCESS]],
  ["who may do what, of a server without credentials", ALLOWS, "", [NO_ACCESS]],
  ["both", ASKS + ALLOWS, "", [NO_AUTH, NO_ACCESS]],
  ["that everybody may call, elsewhere than on loopback", `${OPEN}listeners: { web: "0.0.0.0:1" }\n`, "", [NO_AUTH]],
];

describe.each(TAKEN_AWAY)("a file that takes away %s", (_, first, second, expected) => {
  const both = () => {
    const folder = newFolder();
    const path = join(folder, "backpressure.yaml");
    writeFileSync(path, textOf("first") + first);
    return { path, ...start(path, createFakeClock()) };
  };

  it("is not taken up, and the log says what to write", async () => {
    const { path, watch, taken, complaints, until } = both();
    writeFileSync(path, textOf("second") + second);
    watch.reload();
    await until(() => complaints.at(-1) === "the configuration file is not taken up; what is in force stays");
    expect(complaints).toHaveLength(expected.length + 1);
    for (const [index, words] of expected.entries()) expect(complaints[index]).toMatch(words);
    expect(taken).toEqual([]);
    // The control: what says so aloud is taken up.
    writeFileSync(path, textOf("third") + OPEN + second);
    watch.reload();
    await until(() => taken.length > 0);
    expect(taken).toEqual(["third"]);
  });
});

describe("the file is read", { timeout: 10_000 }, () => {
  it("after its folder was quiet for a while: its writer has finished", async () => {
    const folder = newFolder();
    const clock = createFakeClock();
    const { taken, until } = start(inPlace.place(folder), clock);
    clock.advance(100_000);
    expect(clock.scheduled).toBe(0);

    inPlace.change(folder, "limiters: [{name: ha", 1);
    await until(() => clock.scheduled === 1);
    clock.advance(99_999);
    inPlace.change(folder, textOf("whole"), 2);
    let heard = 0;
    await until(() => ++heard > 1);
    clock.advance(99_999);
    expect(taken).toEqual([]);
    clock.advance(1);
    await until(() => taken.length > 0);
    expect(taken).toEqual(["whole"]);
  });

  it("soon after the start, since it may have changed in between", async () => {
    const folder = newFolder();
    const path = inPlace.place(folder);
    const clock = createFakeClock();
    const { taken, until } = start(path, clock);
    inPlace.change(folder, textOf("early"), 1);
    clock.advance(100_000);
    await until(() => taken.length > 0);
    expect(taken).toEqual(["early"]);
  });

  it("not for what else happens in its folder, nor taken up if it says the same", async () => {
    const folder = newFolder();
    const { taken, complaints, until } = start(inPlace.place(folder));
    writeFileSync(join(folder, "other.yaml"), "}");
    inPlace.change(folder, textOf("first"), 1);
    inPlace.change(folder, textOf("second"), 2);
    await until(() => taken.length > 0);
    expect(taken).toEqual(["second"]);
    expect(complaints).toEqual([]);
  });

  it("not any more after the watch is closed", async () => {
    const folder = newFolder();
    const path = inPlace.place(folder);
    const closed = start(path);
    const witness = start(path);
    closed.watch.close();
    inPlace.change(folder, textOf("second"), 1);
    await witness.until(() => witness.taken.length > 0);
    expect(closed.taken).toEqual([]);
  });

  it("at once on demand, and the problems of a bad file are logged again", async () => {
    const folder = newFolder();
    const clock = createFakeClock();
    const { watch, taken, said, complaints, until } = start(inPlace.place(folder), clock);
    inPlace.change(folder, "quotas: 5\n", 1);
    for (const expected of [2, 4]) {
      watch.reload();
      await until(() => complaints.length === expected);
    }
    inPlace.change(folder, textOf("second"), 2);
    watch.reload();
    await until(() => taken.length > 0);
    watch.reload();
    await until(() => said.at(-1) === "the configuration file says what is in force already");
    expect(taken).toEqual(["second"]);
    expect(complaints).toHaveLength(4);
  });

  it("and not parsed, let alone taken up, where it has not changed", async () => {
    const folder = newFolder();
    const { watch, taken, parsed, said, until } = start(inPlace.place(folder), createFakeClock());
    watch.reload();
    await until(() => said.length > 0);
    expect([said, parsed, taken]).toEqual([["the configuration file says what is in force already"], [], []]);
    // The control: one letter more is parsed and taken up.
    inPlace.change(folder, textOf("first2"), 1);
    watch.reload();
    await until(() => taken.length > 0);
    expect([parsed, taken]).toEqual([[textOf("first2")], ["first2"]]);
  });

  it("one look after the other: what is asked for meanwhile is one look more, at what is there then", async () => {
    const folder = newFolder();
    const { watch, taken, parsed, until } = start(inPlace.place(folder), createFakeClock());
    inPlace.change(folder, textOf("second"), 1);
    watch.reload();
    await until(() => parsed.length > 0);
    for (const turn of [2, 3]) {
      inPlace.change(folder, textOf(`later${turn}`), turn);
      watch.reload();
    }
    await until(() => taken.length === 2);
    expect(taken).toEqual(["second", "later3"]);
  });

  it("and the log names a hundred of its problems, and how many more there are", async () => {
    const folder = newFolder();
    const { watch, complaints, until } = start(inPlace.place(folder), createFakeClock());
    inPlace.change(folder, `limiters:\n${"  - { name: '' }\n".repeat(150)}`, 1);
    watch.reload();
    await until(() => complaints.at(-1)?.includes("is not taken up") === true);
    expect(complaints).toHaveLength(102);
    expect(complaints.at(-2)).toContain("there are more problems");
  });

  it("never where there is none", () => {
    const { watch, taken } = start(undefined);
    watch.reload();
    expect(taken).toEqual([]);
  });
});
