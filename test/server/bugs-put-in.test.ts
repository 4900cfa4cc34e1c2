/** Each bug that a control puts into a copy of the sources still has its place there: otherwise its control proves nothing. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LINES_AT_ONCE } from "../e2e/support/audit-bug.ts";
import type { Bug } from "../reliability/support/bug.ts";
import { BUGS as DISK_BUGS } from "../reliability/support/disk-faults/bugs.ts";
import { BUGS_OVER_SESSIONS as HISTORY_BUGS } from "../reliability/support/history/bugs.ts";
import { MUTANTS } from "../reliability/support/mutants.ts";
import { STREAMS_ARE_LIFE } from "../reliability/support/network/bug.ts";
import { KEYS_ARE_FORGOTTEN_ALONE } from "../reliability/support/rotation/bug.ts";
import { NEVER_EXPIRES } from "../reliability/support/soak-bug.ts";
import { MEASURES } from "../reliability/support/threats.ts";

const ROOT = new URL("../../", import.meta.url);
const ALL: readonly Bug[] = [
  ...MUTANTS,
  ...MEASURES,
  ...HISTORY_BUGS,
  ...Object.values(DISK_BUGS),
  NEVER_EXPIRES,
  STREAMS_ARE_LIFE,
  KEYS_ARE_FORGOTTEN_ALONE,
  LINES_AT_ONCE,
];

test.for(ALL)("$file has once: $find", ({ file, find }) => {
  expect(readFileSync(new URL(file, ROOT), "utf8").split(find)).toHaveLength(2);
});
