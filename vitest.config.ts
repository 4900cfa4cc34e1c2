import { configDefaults, defineConfig } from "vitest/config";

const README = "test/readme/{readme,installed}.test.ts";
const RELIABILITY = "test/reliability/**/*.test.ts";

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: "all",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, README, RELIABILITY],
        },
      },
      {
        extends: true,
        // Minutes of attacks and faults, which want the machine for themselves: `npm run test:reliability`.
        // On a shared machine a stall of a second is nobody's fault: what has a bound in time may fail once, and is told. What a
        // seed decides has `retry: 0`.
        test: { name: "reliability", include: [RELIABILITY], retry: 1 },
      },
      {
        extends: true,
        // The README names ports, and any test that asks for a free one may be given those: so its tests run last, one by one.
        test: { name: "readme", include: [README], sequence: { groupOrder: 1 }, fileParallelism: false },
      },
    ],
  },
});
