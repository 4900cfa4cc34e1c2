/** What a limiter does to the process that it runs in. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

test("a lease that is forgotten is released, with a warning that names where it was acquired", async () => {
  const script = fileURLToPath(new URL("../support/forgetful.ts", import.meta.url));
  const { stdout } = await run(process.execPath, ["--expose-gc", "--no-warnings", script]);
  const warning = JSON.parse(stdout);
  expect(warning.name).toBe("LeaseLeakWarning");
  expect(warning.message).toContain("was collected as garbage before it was released");
  expect(warning.detail).toContain("forgetful");
});

test("a bucket that fills up keeps no process alive, and a request that waits for a token does", async () => {
  const script = `
    import { createRateLimiter } from "./src/in-process/index.ts";
    const limiter = createRateLimiter({ rate: "1/h", keyed: true });
    await limiter.acquire({ key: "a" });
    const quick = createRateLimiter({ maxRps: 5, burstSize: 1 });
    await quick.acquire();
    await quick.acquire();
    console.log("both");
  `;
  const args = ["--input-type=module", "--no-warnings", "-e", script];
  const cwd = fileURLToPath(new URL("../../..", import.meta.url));
  const { stdout } = await run(process.execPath, args, { cwd, timeout: 30_000 });
  expect(stdout).toBe("both\n");
});
