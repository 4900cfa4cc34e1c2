/** A process that forgets a lease, collects its garbage until the next in line has it, and prints what it was warned of. */

import { once } from "node:events";
import { createRateLimiter } from "../../../src/in-process/index.ts";

const limiter = createRateLimiter({ maxConcurrent: 1 });
const warned = once(process, "warning");

async function forgetful(): Promise<void> {
  await limiter.acquire();
}

await forgetful();
const next = limiter.acquire();
const collecting = setInterval(() => globalThis.gc?.(), 10);
await (await next).release();
clearInterval(collecting);
const [{ name, message, detail }] = await warned;
console.log(JSON.stringify({ name, message, detail }));
