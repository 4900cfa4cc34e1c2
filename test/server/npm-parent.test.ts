import { expect, test } from "vitest";
import { type Ancestor, watchNpmParent } from "../../src/server/npm-parent.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const SCRIPT = "node src/cli/main.ts serve";
const SECOND = 1_000_000;

interface Scene {
  readonly script?: string | undefined;
  readonly parent?: number;
  readonly tree: readonly Ancestor[];
}

function watch({ parent = 20, tree, ...rest }: Scene) {
  const script = "script" in rest ? rest.script : SCRIPT;
  const clock = createFakeClock();
  const processes = new Map(tree.map((one) => [one.pid, one]));
  const state = { parent, gone: 0 };
  const stop = watchNpmParent({
    clock,
    script,
    onGone: () => {
      state.gone += 1;
    },
    processes: { parent: () => state.parent, find: (pid) => processes.get(pid), cheap: true },
  });
  return { clock, processes, state, stop };
}

const NPM: Ancestor = { pid: 10, parent: 1, command: "npm start  " };
const SHELL: Ancestor = { pid: 20, parent: 10, command: `sh -c ${SCRIPT} ` };

test("npm passes SIGTERM to its shell alone, which ends: that is noticed, once", () => {
  const { clock, state } = watch({ tree: [NPM, SHELL] });
  clock.advance(10 * SECOND);
  expect(state.gone).toBe(0);
  state.parent = 1;
  clock.advance(SECOND);
  expect(state.gone).toBe(1);
  clock.advance(10 * SECOND);
  expect(state.gone).toBe(1);
});

test("npm is killed and its shell lives on", () => {
  const { clock, processes, state } = watch({ tree: [NPM, SHELL] });
  processes.set(20, { ...SHELL, parent: 1 });
  clock.advance(SECOND);
  expect(state.gone).toBe(1);
});

test("the script has replaced the shell by exec, and npm is killed", () => {
  const { clock, state } = watch({ parent: 10, tree: [NPM] });
  state.parent = 1;
  clock.advance(SECOND);
  expect(state.gone).toBe(1);
});

test.each([
  ["no npm", { script: undefined, tree: [NPM, SHELL] }],
  ["a script that leaves its server in the background", { script: `${SCRIPT} & echo started`, tree: [NPM, SHELL] }],
  ["a program that npm runs and that starts the server itself", { tree: [{ ...SHELL, command: "node up.js " }] }],
  ["a shell that runs another command", { tree: [{ ...SHELL, command: "sh -c ./up.sh " }] }],
])("%s: nothing is watched", (_, options) => {
  const { clock, state } = watch(options);
  state.parent = 1;
  clock.advance(SECOND);
  expect(state.gone).toBe(0);
  expect(clock.scheduled).toBe(0);
});

test.each(["a && b serve", "b serve 2>&1", "b serve >&2"])("%s is no background", (script) => {
  const { clock, state } = watch({ script, tree: [NPM, { ...SHELL, command: `sh -c ${script} ` }] });
  state.parent = 1;
  clock.advance(SECOND);
  expect(state.gone).toBe(1);
});

test("a watch that is ended calls back no more", () => {
  const { clock, state, stop } = watch({ tree: [NPM, SHELL] });
  stop();
  state.parent = 1;
  clock.advance(SECOND);
  expect([state.gone, clock.scheduled]).toEqual([0, 0]);
});
