/** The load of a soak in a process of its own, so that what it costs is not on the server's bill. See `soak-load.ts`. */

import "../../support/end-with-parent.ts";
import { createDice } from "../../server/machine/dice.ts";
import { type SoakOptions, soak } from "./soak-load.ts";

const options = JSON.parse(process.argv[2] ?? "") as SoakOptions;
const report = await soak(options, createDice(options.seed));
process.send?.(report, () => process.disconnect());
