/** The blocks of docs/boards.md, run one after the other on the board of the server that the README starts. */

import { expect } from "vitest";
import { requireGrpcurl } from "../../support/grpcurl.ts";
import type { Runner } from "./fences.ts";
import { run, save, start, startTypeScript } from "./newcomer.ts";

export const BOARD_RUNNERS: Readonly<Record<string, Runner>> = {
  async "board-add"(text) {
    const said = await run(text);
    for (const part of ["Ready", "login", "export", "explain"]) expect(said).toContain(part);
  },

  async "board-by-hand"(text) {
    expect(await run(text)).toContain("export");
  },

  async "board-command"(text) {
    expect(await run(text)).toContain("Export as CSV");
    const said = await run("npm run -s backpressure -- --json board card export");
    expect(JSON.parse(said)).toMatchObject({ card: { stage: "Done", result: expect.stringContaining("CSV") } });
  },

  async "board-loop"(text) {
    await using program = startTypeScript(text);
    await program.until(/^login: Fix the login$/m);
    await program.until(/^explain: Explain the export$/m);
  },

  async "board-pull"(text, context) {
    requireGrpcurl(context);
    await using program = start(text);
    await program.until(/"waiting"/);
  },

  async "board-look"(text, context) {
    requireGrpcurl(context);
    const said = await run(text);
    for (const part of ['"bottleneck"', '"wipLimit": 3', '"cycleTime"', '"id": "login"']) expect(said).toContain(part);
  },

  async "board-config"(text) {
    const path = save("backpressure.yaml", text);
    expect(await run(`npm run -s backpressure -- check '${path}'`)).toMatch(/is valid/);
  },
};
