/** A process that has a data folder, until it is asked to end or is killed. */

import "../../../support/end-with-parent.ts";
import { openAt } from "./folder.ts";

const file = openAt(process.argv[2] ?? "");
file.commit([{ key: "a", body: "by another process" }], "process");
process.send?.("open");
// So long it stays; the test's process ends it.
setInterval(() => {}, 60_000);
