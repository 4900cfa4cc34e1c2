import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startRealServer } from "../support/real-server.ts";

const SCRIPT = fileURLToPath(new URL("../support/forgetful.ts", import.meta.url));

/** What a process says that treats its lease so. */
async function run(how: string) {
  const { address } = await startRealServer("limiters: [{ name: db, max_concurrent: 1, ttl: 60s }]");
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--no-warnings", SCRIPT, address, how],
    { timeout: 25_000 },
  );
  return { said: JSON.parse(stdout), stderr };
}

describe("a lease that was not released", () => {
  it.each(["forget", "member"])(
    "is released when its handle is garbage (%s), and a warning names where it was acquired",
    async (how) => {
      const { said } = await run(how);
      expect(said.name).toBe("LeaseLeakWarning");
      expect(said.message).toMatch(/^a lease on db \(\S+\) was collected as garbage before it was released/);
      expect(said.detail).toContain(how === "forget" ? "acquireAs" : "Service.open");
      expect(said.detail).toContain("forgetful.ts");
    },
  );

  it("stays while its handle is kept", async () => {
    expect((await run("keep")).said).toEqual({ kept: 1, warned: false });
  });
});

describe("a lease that was released", () => {
  it("is no reason for a warning", async () => {
    const { said, stderr } = await run("release");
    expect(said).toEqual({ kept: 0, warned: false });
    expect(stderr).toBe("");
  });
});
