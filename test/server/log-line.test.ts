import { expect, it } from "vitest";
import { readableLine } from "../../src/server/log-line.ts";

const TIME = new Date(2026, 0, 2, 3, 4, 5).getTime();
const line = (fields: object) => readableLine(JSON.stringify({ level: 30, time: TIME, ...fields }));

it("says when, how grave it is, what, and about what", () => {
  expect(line({ folder: "/data", leases: 2, fields: ["a"], msg: "taken up" })).toBe(
    '03:04:05 INFO  taken up (folder=/data, leases=2, fields=["a"])\n',
  );
  expect(line({ level: 40, msg: "draining" })).toBe("03:04:05 WARN  draining\n");
});

it("puts an error below, with where it was thrown", () => {
  const err = { message: "no room", stack: "Error: no room\n    at write" };
  expect(line({ level: 50, err, msg: "full" })).toBe("03:04:05 ERROR full\n  Error: no room\n      at write\n");
  expect(line({ level: 50, err: { message: "no room" }, msg: "full" })).toBe("03:04:05 ERROR full\n  no room\n");
});
