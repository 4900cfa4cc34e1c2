/** What is done to a scene's files, and what must come of it. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { INCOMPLETE_KEY } from "../../../../src/server/store/row.ts";
import { StoreError } from "../../../../src/server/store/sqlite/damage.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import { openAndRead, type ReadFile } from "../../../server/store/support/folder.ts";
import { BOOT, boundaries, FILES, type FileName, fingerprint, type Scene } from "./scenes.ts";
import { SCRATCH } from "./scratch.ts";

/** Bytes of the database's first page, and of the header that it begins with. */
const PAGE = 4_096;
const HEADER = 100;

export interface Harm {
  readonly scene: Scene;
  readonly file: FileName;
  /** `cut`: the file ends there. `flip`: one bit there is the other. `zeros`: from there on nothing has been written. */
  readonly kind: "cut" | "flip" | "zeros";
  readonly at: number;
  readonly bit: number;
  /** Whether the machine was booted anew. */
  readonly booted: boolean;
}

/** A cut at every boundary of the log's tail and a byte to either side, in the same start of the machine and in another. */
export function everyBoundary(scenes: readonly Scene[]): Harm[] {
  return scenes.flatMap((scene) => {
    const log = scene.files["data.db-wal"];
    const offsets = boundaries(log).flatMap((at) => [at - 1, at, at + 1]);
    return offsets.flatMap((at) =>
      [false, true].map((booted): Harm => {
        return { scene, file: "data.db-wal", kind: "cut", at: Math.min(at, log.length), bit: 0, booted };
      }),
    );
  });
}

/** Each bit of the database's header and of what stands on its first page, its schema, where the log has neither. */
export function everyBitOfSchema(scenes: readonly Scene[]): Harm[] {
  const scene = scenes.find(({ name }) => name === "restarted") as Scene;
  const first = scene.files["data.db"].subarray(0, PAGE);
  const offsets = Array.from(first.keys()).filter((at) => at < HEADER || first[at] !== 0);
  return offsets.flatMap((at) =>
    Array.from({ length: 8 }, (_, bit): Harm => ({ scene, file: "data.db", kind: "flip", at, bit, booted: true })),
  );
}

export function anyHarm(scenes: readonly Scene[], kind: Harm["kind"], dice: Dice): Harm {
  const scene = dice.pick(scenes);
  const file = dice.pick(["data.db", "data.db-wal", "data.db-wal", "mark"] as const);
  return { scene, file, kind, at: dice.roll(scene.files[file].length), bit: dice.roll(8), booted: dice.chance(50) };
}

function describe({ scene, file, kind, at, bit, booted }: Harm): string {
  return `${scene.name}: ${kind} ${file} at ${at}${kind === "flip" ? `, bit ${bit}` : ""}, booted ${booted}`;
}

export type Verdict = "refused" | "all" | "prefix";

export interface Ward extends Disposable {
  /** Does the harm to a folder and takes it up; throws where what comes of it must not be. */
  tryOut(harm: Harm, options: { readonly thorough: boolean }): Verdict;
}

export function createWard(): Ward {
  const base = mkdtempSync(join(SCRATCH, "backpressure-power-"));
  let serial = 0;

  function tryOut(harm: Harm, { thorough }: { readonly thorough: boolean }): Verdict {
    const { scene, booted } = harm;
    serial += 1;
    const folder = mkdtempSync(join(base, `${serial}-`));
    const bytes = harmed(harm);
    for (const name of FILES) writeFileSync(join(folder, name), bytes[name]);
    const boot = booted ? "another start" : BOOT;
    const open = (acceptLoss = false) => openAndRead({ folder, boot, leases: "process", acceptLoss, maxMegabytes: 64 });
    try {
      const file = openOrRefuse(open);
      if (file === undefined) {
        for (const name of FILES) must(readFileSync(join(folder, name)).equals(bytes[name]), `${name} was changed`);
        if (thorough) checkAccepted(open(true), { harm, folder, bytes });
        return "refused";
      }
      const commit = scene.states.get(stateOf(file));
      file.close();
      must(commit !== undefined, "what is found never was so");
      const isAll = commit === scene.last;
      must(isAll || booted, `the state after commit ${commit} of ${scene.last} is taken for the last one`);
      must((commit ?? 0) >= scene.onDisk, `what was on disk with commit ${scene.onDisk} is missing`);
      must(file.incomplete === (booted ? "by-power" : "no"), `it is said to be incomplete: ${file.incomplete}`);
      if (thorough) checkGoesOn(open, file);
      return isAll ? "all" : "prefix";
    } catch (error) {
      throw new Error(`${describe(harm)}: ${(error as Error).message}`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  return { tryOut, [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }) };
}

function harmed({ scene, file, kind, at, bit }: Harm): Record<FileName, Buffer> {
  const bytes = Buffer.from(scene.files[file]);
  if (kind === "flip") bytes[at] = (bytes[at] as number) ^ (1 << bit);
  if (kind === "zeros") bytes.fill(0, at);
  return { ...scene.files, [file]: kind === "cut" ? bytes.subarray(0, at) : bytes };
}

function openOrRefuse(open: () => ReadFile): ReadFile | undefined {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    must(error.kind === "damaged", `refused as ${error.kind}: ${error.message}`);
    must(/is damaged: .*backup.*--accept-loss/.test(error.message), `not said what to do: ${error.message}`);
    return undefined;
  }
}

/** What is taken up in spite of its damage is what once was written, and what was found stands aside. */
function checkAccepted(
  file: ReadFile,
  { harm, folder, bytes }: { readonly harm: Harm; readonly folder: string; readonly bytes: Record<FileName, Buffer> },
): void {
  file.close();
  must(file.incomplete === "by-damage", `it is said to be incomplete: ${file.incomplete}`);
  for (const { key, body } of file.rows) {
    must(key === INCOMPLETE_KEY || harm.scene.written.has(`${key} ${body}`), `${key} was never ${body}`);
  }
  for (const name of FILES) {
    const aside = join(folder, `${name}.damaged-1`);
    must(existsSync(aside) && readFileSync(aside).equals(bytes[name]), `${name} does not stand aside as it was`);
  }
}

/** What is kept from here on is kept: nothing that was taken up stands where the next commit writes. */
function checkGoesOn(open: () => ReadFile, before: ReadFile): void {
  const expected = new Map(before.rows.map(({ key, body }) => [key, body]));
  const file = open();
  for (let n = 0; n < 40; n += 1) {
    file.commit([{ key: `new:${n}`, body: "n".repeat(300) }], "process");
    expected.set(`new:${n}`, "n".repeat(300));
  }
  file.close();
  const again = open();
  again.close();
  expected.delete(INCOMPLETE_KEY);
  must(stateOf(again) === fingerprint(expected), "what was kept since is not what is found");
}

function stateOf({ rows }: ReadFile): string {
  return fingerprint(rows.filter(({ key }) => key !== INCOMPLETE_KEY).map(({ key, body }) => [key, body] as const));
}

function must(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}
