import { describe, expect, it } from "vitest";
import { parseKeys } from "../../../src/cli/text/keys.ts";

describe("keys", () => {
  it.each([
    ["q", [{ kind: "text", text: "q" }]],
    [
      "é語",
      [
        { kind: "text", text: "é" },
        { kind: "text", text: "語" },
      ],
    ],
    ["\u001b[A\u001bOB", [{ kind: "up" }, { kind: "down" }]],
    ["\u001b[5~\u001b[6~", [{ kind: "page-up" }, { kind: "page-down" }]],
    ["\u001b[H\u001b[4~", [{ kind: "home" }, { kind: "end" }]],
    ["\r\t\u007f", [{ kind: "enter" }, { kind: "tab" }, { kind: "backspace" }]],
    ["\u0003", [{ kind: "interrupt" }]],
    ["\u001bx", [{ kind: "escape" }, { kind: "text", text: "x" }]],
    ["\u001b[1;5C\u001b[200~", [{ kind: "other" }, { kind: "other" }]],
    ["\u0001", [{ kind: "other" }]],
  ])("%j", (sent, keys) => {
    expect(parseKeys(sent)).toEqual({ keys, rest: "" });
  });

  it.each(["\u001b", "\u001b[", "\u001b[1;5", "\u001bO"])("may go on after %j", (rest) => {
    expect(parseKeys(`j${rest}`)).toEqual({ keys: [{ kind: "text", text: "j" }], rest });
  });
});
