/** Completion in the shells themselves: a Tab on a terminal, and what stands there then. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Shell } from "../../../src/cli/completion/scripts.ts";
import { requireTool } from "../../support/require-tool.ts";
import { CREDENTIALS, startSecured } from "../../support/secured.ts";
import { cli, startOnTerminal } from "../support/cli.ts";
import { closedPort } from "../support/closed-port.ts";
import { type Service, startService } from "../support/service.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

/** How each shell is started without the user's settings, what it reads at first, how it says that it reads keys, and adds. */
const SHELLS: Readonly<
  Record<Shell, { readonly command: string; readonly setUp: string; readonly prompt: string; readonly sum: string }>
> = {
  bash: {
    command: "bash --norc --noprofile -i",
    setUp: "bind 'set enable-bracketed-paste off'; source <(backpressure completion bash)",
    prompt: "$ ",
    sum: "$((20 + 3))",
  },
  zsh: {
    command: "zsh -f -i",
    setUp: "autoload -Uz compinit; compinit -u -d $HOME/zcompdump; source <(backpressure completion zsh)",
    prompt: "$ ",
    sum: "$((20 + 3))",
  },
  fish: {
    command: `fish --no-config -i -C 'function fish_prompt; echo -n "go> "; end'`,
    setUp: "backpressure completion fish | source",
    prompt: "go> ",
    sum: "(math 20 + 3)",
  },
};

let service: Service;
let home: string;

beforeAll(async () => {
  service = await startService(
    "limiters: [{ name: payments-db, max_concurrent: 1 }, { name: gpu, max_concurrent: 1 }]",
  );
  home = mkdtempSync(join(tmpdir(), "completion-"));
  const bin = join(home, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "backpressure"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(join(bin, "backpressure"), 0o755);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

describe.each(Object.entries(SHELLS))("%s", (shell, { command, setUp, prompt, sum }) => {
  it("completes a file with a token, a command, and the name of a limiter that the server knows", async (context) => {
    requireTool(context, { name: shell, probe: [shell, "--version"], install: `apt-get install ${shell}` });
    await using terminal = startOnTerminal(command, {
      address: service.address,
      env: {
        HOME: home,
        XDG_CONFIG_HOME: home,
        XDG_DATA_HOME: home,
        PATH: `${home}/bin:${process.env.PATH}`,
        PS1: "$ ",
        TERM: "xterm",
      },
    });
    // What is typed before the shell reads keys may be lost; and what is typed is echoed, so only its outcome is waited for.
    await terminal.until("stdout", prompt);
    terminal.type(`${setUp}; echo ready-${sum}\n`);
    await terminal.until("stdout", "ready-23");
    await terminal.until("stdout", prompt, "ready-23");
    writeFileSync(join(home, "operator.token"), "");
    terminal.type(`backpressure --token-file ${home}/oper\t`);
    await terminal.until("stdout", "operator.token", "ready-23");
    // Ctrl-U takes the line away.
    terminal.type("\x15backpressure expl\t");
    await terminal.until("stdout", "explain", "ready-23");
    terminal.type("paym\t");
    await terminal.until("stdout", "payments-db", "ready-23");
    terminal.type("\n");
    await terminal.until("stdout", "Calm: no request waits for payments-db", "ready-23");
  });
});

describe("the candidates", () => {
  const complete = async (...args: string[]) =>
    (await cli(["__complete", ...args], { address: service.address })).stdout;

  it("say what each is, behind a tab", async () => {
    expect(await complete("expl")).toBe("explain\tsay why a limiter stands still, and what may be done\n");
    expect(await complete("--line", "backpressure explain g")).toBe("gpu\t\n");
  });

  it("are asked of a secured server with the credentials that the line has, and are none without", async () => {
    await using secured = await startSecured("limiters: [{ name: payments-db, max_concurrent: 1 }]\n");
    const { files } = CREDENTIALS["a token"];
    const flags = Object.entries(files).map(([flag, name]) => `--${flag} ${secured.file(name)}`);
    const address = `--address https://localhost:${secured.address.split(":").at(-1)}`;
    const namesWith = (words: readonly string[]) => complete("--line", `backpressure ${words.join(" ")} explain pay`);
    // A Tab waits half a second, in which a machine that is busy finds nothing.
    await expect.poll(() => namesWith([address, ...flags]), { timeout: 60_000 }).toBe("payments-db\t\n");
    expect(await namesWith([address, ...flags.slice(0, 1)])).toBe("");
  });

  it("are none, soon, where the server is not reached", async () => {
    const { code, stdout, stderr } = await cli(["__complete", "explain", ""], { address: await closedPort() });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

it("prints no script for a shell that it does not know", async () => {
  const { code, stderr } = await cli(["completion", "csh"]);
  expect(code).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
});
