/** The program of docs/tracing.md, as it stands there, with OpenTelemetry set up as its users do: one trace, from its span to the server's. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { readFences } from "../../readme/support/fences.ts";
import { type ReceivedSpan, startSpanReceiver } from "../../support/otlp/span-receiver.ts";
import { startProgram } from "../../support/program.ts";
import { startTestServer } from "../../support/server.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PAGE = readFileSync(join(ROOT, "docs/tracing.md"), "utf8");
const PRELOADED = ["test/support/self-import.ts", "test/client/support/opentelemetry.ts"];

test.each(["true", "false"])(
  "the spans of the server are within that of the program (sessions: %s)",
  async (sessions) => {
    const receiver = await startSpanReceiver();
    await using server = await startTestServer(
      `traces: { otlp: { url: "${receiver.url}" } }\nlimiters: [{ name: sample, max_concurrent: 1 }]\n`,
    );
    const text = readFences(PAGE).find(({ name }) => name === "trace")?.text ?? "";
    const folder = mkdtempSync(join(tmpdir(), "backpressure-opentelemetry-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "program.mts");
    writeFileSync(path, text.replace('"localhost:50051", {', `"${server.address}", { sessions: ${sessions},`));
    const imports = PRELOADED.flatMap((file) => ["--import", join(ROOT, file)]);
    const env = { ...process.env, RECEIVER: receiver.url };
    await using program = startProgram([process.execPath, ...imports, path], { cwd: ROOT, env });
    const { code, printed } = await program.ended;
    expect([code, printed]).toEqual([0, ""]);
    const spans = await receiver.until(5);
    const one = (name: string) => spans.find((span) => span.name === name) as ReceivedSpan;
    const [own, acquire] = [one("charge a card"), one("ggen.backpressure.v1.AdmissionService/Acquire")];
    expect(acquire).toMatchObject({ traceId: own.traceId, parentSpanId: own.spanId, kind: "server" });
    expect(one("ggen.backpressure.v1.AdmissionService/Release").parentSpanId).toBe(own.spanId);
    for (const name of ["backpressure.wait", "backpressure.hold"]) {
      expect(one(name)).toMatchObject({ traceId: own.traceId, parentSpanId: acquire.spanId });
    }
  },
);
