/** A process that acquires, releases, and has nothing more to do: `node one-lease.ts host:port`. */

import { connect } from "../../support/connect.ts";

const client = connect(process.argv[2] ?? "");
const lease = await client.acquire("db");
process.stdout.write(`${await lease.release()}\n`);
