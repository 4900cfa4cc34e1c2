/**
 * A process that treats a lease as its second argument says, collects its garbage, and prints what it was warned of:
 * `node --expose-gc forgetful.ts host:port forget|keep|release|member`.
 */

import { connect } from "../../support/connect.ts";

const [address = "", how] = process.argv.slice(2);
const client = connect(address);
const kept: unknown[] = [];
let warning: (Error & { detail?: string }) | undefined;
process.once("warning", (error) => {
  warning = error;
});

class Service {
  lease: unknown;

  async open(): Promise<void> {
    this.lease = await client.acquire("db");
  }
}

async function acquireAs(manner: string | undefined): Promise<void> {
  if (manner === "member") {
    await new Service().open();
    return;
  }
  const lease = await client.acquire("db");
  if (manner === "keep") kept.push(lease);
  if (manner === "release") await lease.release();
}

/** Collects garbage again and again, each time letting the finalizers run, until `done` says so. */
async function collectUntil(done: () => boolean): Promise<void> {
  while (!done()) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await acquireAs(how);
if (how === "keep" || how === "release") {
  let rounds = 0;
  await collectUntil(() => {
    rounds += 1;
    return rounds > 50;
  });
  process.stdout.write(`${JSON.stringify({ kept: kept.length, warned: warning !== undefined })}\n`);
  process.exit();
}

await collectUntil(() => warning !== undefined);
// Its permits are back: another is granted.
await using _ = await client.acquire("db");
process.stdout.write(
  `${JSON.stringify({ name: warning?.name, message: warning?.message, detail: warning?.detail })}\n`,
);
