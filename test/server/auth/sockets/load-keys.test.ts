/** The keys of an issuer as they are got: from a URL, whatever that answers, and from a file. */

import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createKeyKeeper } from "../../../../src/server/auth/jwt/key-keeper.ts";
import { loadKeys } from "../../../../src/server/auth/jwt/load-keys.ts";
import { watchKeyFile } from "../../../../src/server/auth/jwt/watch-key-file.ts";
import { createSystemClock } from "../../../../src/server/clock.ts";
import { createAuthority } from "../../../support/certificates.ts";
import { createSigningKey } from "../../../support/identity-provider.ts";
import { createMemoryLog } from "../../transport/support/memory-log.ts";

const KEY = await createSigningKey();
const SET = JSON.stringify({ keys: [KEY.jwk] });
const MAX_BYTES = 256 << 10;

async function portThat(answers: RequestListener): Promise<string> {
  const server = createServer(answers);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "backpressure-keys-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const from = (url: string, more: { caFile?: string; bearerFile?: string } = {}) =>
  loadKeys({ kind: "url", url, caFile: undefined, bearerFile: undefined, ...more });

/** What of it is loaded: the ids of its keys, or why nothing is. */
const outcome = (loading: ReturnType<typeof loadKeys>) =>
  loading.then(
    ({ keys }) => keys.map(({ kid }) => kid),
    (error: Error) => error.message,
  );

const padded = (bytes: number) => SET.replace(/}$/, `,"pad":"${"x".repeat(bytes - SET.length - 9)}"}`);

describe("keys from a URL", () => {
  it.each<[string, RequestListener, unknown]>([
    ["a set of keys", (_, response) => response.end(SET), [KEY.kid]],
    ["as much as may be", (_, response) => response.end(padded(MAX_BYTES)), [KEY.kid]],
    ["more", (_, response) => response.end(padded(MAX_BYTES + 1)), `it is larger than ${MAX_BYTES} bytes`],
    [
      "without end",
      (_, response) => {
        const write = () => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", write);
        write();
      },
      `it is larger than ${MAX_BYTES} bytes`,
    ],
    ["garbage", (_, response) => response.end("\u0000\u0001<html>"), "it is no JSON"],
    ["half a set", (_, response) => response.end(SET.slice(0, -5)), "it is no JSON"],
    ["JSON that is no object", (_, response) => response.end("null"), "it is no JSON"],
    ["JSON that is no set", (_, response) => response.end('{"keys":{}}'), "it is no set of at most 200 keys"],
    [
      "too many keys",
      (_, response) => response.end(JSON.stringify({ keys: Array(201).fill({ kty: "EC" }) })),
      "it is no set of at most 200 keys",
    ],
    ["an empty set", (_, response) => response.end('{"keys":[]}'), []],
    [
      "a set with a symmetric key",
      (_, response) =>
        response.end(JSON.stringify({ keys: [{ kty: "oct", k: "AAAA", kid: "secret" }, null, KEY.jwk] })),
      [KEY.kid],
    ],
    ["nothing with 404", (_, response) => void response.writeHead(404).end(), "it answers with the status 404"],
    ["a set with 503", (_, response) => void response.writeHead(503).end(SET), "it answers with the status 503"],
    [
      "an end before the end",
      (_, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write(SET, () => response.destroy());
      },
      "aborted",
    ],
  ])("that answers %s", async (_, answers, expected) => {
    expect(await outcome(from(await portThat(answers)))).toEqual(expected);
  });

  it("that leads elsewhere are not got from there", async () => {
    const followed = vi.fn();
    const elsewhere = await portThat((_, response) => {
      followed();
      response.end(SET);
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await portThat((_, response) => void response.writeHead(status, { location: elsewhere }).end(SET));
      expect(await outcome(from(url))).toBe(`it answers with the status ${status}`);
    }
    expect(followed).not.toHaveBeenCalled();
  });

  it.each<[string, RequestListener]>([
    ["does not answer", () => {}],
    ["begins to", (_, response) => void response.write('{"keys":[')],
    [
      "answers a byte at a time",
      (_, response) => {
        const drip = setInterval(() => response.write(" "), 100);
        response.once("close", () => clearInterval(drip));
      },
    ],
  ])("that %s is given up after 5 s", async (_, answers) => {
    const began = performance.now();
    expect(await outcome(from(await portThat(answers)))).toMatch(/it has not answered within 5000 ms|aborted/);
    expect(performance.now() - began).toBeGreaterThan(4_900);
  });

  it("shows the token of its file, read anew each time", async () => {
    const file = join(folder(), "token");
    const seen: (string | undefined)[] = [];
    const url = await portThat(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end(SET);
    });
    for (const token of ["first", "second\n"]) {
      writeFileSync(file, token);
      await from(url, { bearerFile: file });
    }
    await from(url);
    expect(seen).toEqual(["Bearer first", "Bearer second", undefined]);
    rmSync(file);
    expect(await outcome(from(url, { bearerFile: file }))).toMatch(/ENOENT/);
    expect(seen).toHaveLength(3);
  });

  it("trusts the authority of its file alone, read anew each time", async () => {
    const [own, foreign] = [await createAuthority("own"), await createAuthority("foreign")];
    const { cert, key } = await own.issue();
    const server = createHttpsServer({ cert, key }, (_, response) => response.end(SET));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `https://localhost:${(server.address() as AddressInfo).port}/keys`;
    const file = join(folder(), "ca.pem");
    writeFileSync(file, own.cert);
    expect(await outcome(from(url, { caFile: file }))).toEqual([KEY.kid]);
    writeFileSync(file, foreign.cert);
    expect(await outcome(from(url, { caFile: file }))).toMatch(/unable to verify|self-signed|certificate/);
    expect(await outcome(from(url))).toMatch(/unable to verify|self-signed|certificate/);
  });
});

describe("keys from a file", () => {
  it("are taken up when it changes, and half a file changes nothing", async () => {
    const path = join(folder(), "keys.json");
    writeFileSync(path, SET);
    const [clock, log] = [createSystemClock(), createMemoryLog()];
    const source = { kind: "file", path } as const;
    const keeper = createKeyKeeper({ name: "idp", load: () => loadKeys(source), onChange() {}, clock, log });
    const stop = watchKeyFile(source, { keys: keeper, clock, log });
    onTestFinished(() => {
      stop();
      keeper.close();
    });
    await keeper.refresh();
    const first = keeper.knownOf(undefined);
    expect(first).toContain(KEY.kid);
    writeFileSync(path, SET.slice(0, -5));
    await vi.waitFor(() => expect(log.lines.map(({ fields }) => fields.event)).toEqual(["keys-missing"]), 10_000);
    expect(keeper.knownOf(undefined)).toBe(first);
    const next = await createSigningKey();
    writeFileSync(`${path}.new`, JSON.stringify({ keys: [next.jwk] }));
    renameSync(`${path}.new`, path);
    await vi.waitFor(() => expect(keeper.knownOf(next.kid)).toContain(next.kid), 10_000);
    expect(keeper.knownOf(KEY.kid)).toBe("[]");
    expect(log.lines.map(({ fields }) => fields.event)).toEqual(["keys-missing", "keys-there-again", "keys-taken-up"]);
  });

  it("that are larger than may be are not read", async () => {
    const path = join(folder(), "keys.json");
    writeFileSync(path, padded(MAX_BYTES + 1));
    expect(await outcome(loadKeys({ kind: "file", path }))).toBe(`it is larger than ${MAX_BYTES} bytes`);
  });
});
