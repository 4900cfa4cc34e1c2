import { createHash } from "node:crypto";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openAuditFile } from "../../../../src/server/audit/audit-file.ts";
import { verifyAuditFile } from "../../../../src/server/audit/verify.ts";

const wallTime = () => 1_700_000_000_000;

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "backpressure-audit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "audit.jsonl");
}

async function written(path: string, count: number, from = 0): Promise<void> {
  const file = await openAuditFile({ path, wallTime });
  for (let i = 0; i < count; i++)
    await file.write({ event: "operate", caller: "token:ci", of: `limiter/db-${from + i}` });
  await file.close();
}

const linesOf = (path: string) => readFileSync(path, "utf8").split("\n").slice(0, -1);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test("each line has the SHA-256 of the line before, over all starts, and the file is its user's alone", async () => {
  const path = newPath();
  await written(path, 3);
  await written(path, 2, 3);
  const lines = linesOf(path);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject(
    [1, 2, 3, 4, 5].map((seq) => ({ seq, event: "operate" })),
  );
  for (const [index, line] of lines.entries()) {
    expect(JSON.parse(line).prev).toBe(index === 0 ? "0".repeat(64) : sha256(lines[index - 1] as string));
  }
  expect(await verifyAuditFile(path)).toMatchObject({ kind: "whole", lines: 5, first: 1, end: { seq: 5 } });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("lines that are written at once come one behind the other", async () => {
  const path = newPath();
  const file = await openAuditFile({ path, wallTime });
  const numbers = await Promise.all(Array.from({ length: 50 }, (_, i) => file.write({ event: "denied", i })));
  await file.close();
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  expect(await verifyAuditFile(path)).toMatchObject({ kind: "whole", lines: 50 });
});

describe("the check names the line", () => {
  test("in which a byte was changed, whichever byte it is", async () => {
    const path = newPath();
    await written(path, 4);
    const whole = readFileSync(path);
    const starts = [0, ...linesOf(path).map((line) => Buffer.byteLength(line) + 1)];
    for (let at = 0; at < whole.length; at += 7) {
      if (whole[at] === 10) continue;
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      if (changed[at] === 10 || changed[at] === 13) continue;
      writeFileSync(path, changed);
      let line = 0;
      for (let passed = 0; passed + (starts[line + 1] as number) <= at; line++) passed += starts[line + 1] as number;
      expect(await verifyAuditFile(path), `byte ${at}`).toMatchObject({ kind: "broken", line: line + 1 });
    }
  });

  test.each([
    ["that was taken out", (lines: string[]) => lines.splice(2, 1), 3],
    ["that was taken out at the beginning", (lines: string[]) => lines.splice(0, 1, ...lines.slice(2, 3)), 2],
    ["that was put in twice", (lines: string[]) => lines.splice(2, 0, lines[1] as string), 3],
    ["that changed places", (lines: string[]) => lines.splice(1, 2, lines[2] as string, lines[1] as string), 2],
    ["that is none", (lines: string[]) => lines.splice(3, 0, "{}"), 4],
  ])("%s", async (_, spoil, line) => {
    const path = newPath();
    await written(path, 5);
    const lines = linesOf(path);
    spoil(lines);
    writeFileSync(path, `${lines.join("\n")}\n`);
    expect(await verifyAuditFile(path)).toMatchObject({ kind: "broken", line });
  });

  test("behind one that was written anew with a SHA-256 of its own", async () => {
    const path = newPath();
    await written(path, 4);
    const lines = linesOf(path);
    const { own: _, ...fields } = JSON.parse(lines[1] as string);
    const forged = JSON.stringify({ ...fields, caller: "token:somebody-else" });
    lines[1] = `${forged.slice(0, -1)},"own":"${sha256(forged)}"}`;
    writeFileSync(path, `${lines.join("\n")}\n`);
    expect(await verifyAuditFile(path)).toMatchObject({ kind: "broken", line: 3 });
  });
});

test("a file that is renamed is followed by another, which goes on with the chain", async () => {
  const path = newPath();
  const file = await openAuditFile({ path, wallTime });
  await file.write({ event: "one" });
  renameSync(path, `${path}.1`);
  expect(await file.write({ event: "two" })).toBe(2);
  rmSync(path);
  expect(await file.write({ event: "three" })).toBe(3);
  await file.close();
  expect(await verifyAuditFile(`${path}.1`)).toMatchObject({ kind: "whole", first: 1, lines: 1 });
  expect(await verifyAuditFile(path)).toMatchObject({ kind: "whole", first: 3, lines: 1, end: { seq: 3 } });
});

test("a part of a line that a crash has left is taken back, and the chain goes on", async () => {
  const path = newPath();
  await written(path, 3);
  truncateSync(path, statSync(path).size - 20);
  await written(path, 1, 9);
  expect(await verifyAuditFile(path)).toMatchObject({ kind: "whole", lines: 3 });
  expect(JSON.parse(linesOf(path)[2] as string)).toMatchObject({ seq: 3, of: "limiter/db-9" });
});

test("a start refuses a file whose last line is broken", async () => {
  const path = newPath();
  await written(path, 2);
  appendFileSync(path, "nonsense\n");
  await expect(openAuditFile({ path, wallTime })).rejects.toThrow(/last line of the audit file .* is broken/);
  await expect(openAuditFile({ path: join(path, "below"), wallTime })).rejects.toThrow(/cannot be opened/);
});

test.skipIf(process.platform !== "linux")("a full disk rejects the line", async () => {
  const file = await openAuditFile({ path: "/dev/full", wallTime });
  await expect(file.write({ event: "operate" })).rejects.toMatchObject({ code: "ENOSPC" });
  await file.close();
});
