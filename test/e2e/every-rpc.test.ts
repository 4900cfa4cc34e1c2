/**
 * Every RPC, with each credential, in each protocol, over real connections: whoever does not count reaches no service, and of what one
 * may not see nothing is told or changed. The page of metrics, with the same credentials.
 */

import type { JsonValue } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Things } from "../server/service/access/support/samples.ts";
import { secretsIn } from "../support/secrets/secret-forms.ts";
import type { Credential, Worth } from "./support/every-rpc/credentials.ts";
import type { Line } from "./support/every-rpc/line.ts";
import { COMMAND_RPCS, RPCS, type Rpc } from "./support/every-rpc/rpcs.ts";
import { type Stage, startStage } from "./support/every-rpc/stage.ts";
import { carries, type Heard, messagesIn, read, requestOf, WAYS, type Way } from "./support/every-rpc/ways.ts";

/** ms, of which a quiet machine takes a tenth. */
const TIMEOUT = 120_000;
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;
/** What may change something is no call by GET. */
const NO_GET = -405;
/** Calls by one connection: an address that shows more wrong credentials is refused without being looked at. */
const BY_ONE_LINE = 15;

/** What is nobody's. */
const NOTHING: Things = {
  name: "none-db",
  card: "none-card",
  fencingToken: 7n,
  lease: { leaseId: "none", secret: "none" },
  waiterId: "none",
  requestId: "none-0123456789abcdef",
};

interface Ask {
  readonly way: Way;
  readonly rpc: Rpc;
  readonly credential: Credential;
  /** Undefined: a request that cannot be decoded. */
  readonly about: Things | undefined;
  /** Whether a stream is left after these messages; unset: after the first. */
  readonly isEnough?: (messages: readonly JsonValue[]) => boolean;
  /** Whether the request of a stream goes on. */
  readonly goesOn?: boolean;
}

async function ask(line: Line, asked: Ask): Promise<Heard> {
  const { way, rpc, about, goesOn = false, isEnough = (messages) => messages.length > 0 } = asked;
  const { authorization } = asked.credential;
  const { headers, ...rest } = requestOf(way, rpc.method, about && rpc.request(about));
  const request = { ...rest, goesOn, headers: { ...headers, ...(authorization !== undefined && { authorization }) } };
  const isStream = rpc.method.methodKind !== "unary";
  const answer = await line.ask(request, (body) => isStream && isEnough(messagesIn(way, rpc.method, body)));
  return read(way, rpc.method, answer);
}

/** Calls `each` for every RPC that this way carries, on as many connections as it takes. */
async function overAll<T>(
  stage: Stage,
  way: Way,
  credential: Credential,
  each: (line: Line, rpc: Rpc) => Promise<T>,
  rpcs: readonly Rpc[] = RPCS,
): Promise<readonly T[]> {
  // How a message is encoded makes no difference to who sends it: JSON is for tokens alone.
  if (way.codec === "json" && credential.kind !== "token") return [];
  const carried = rpcs.filter(({ method }) => carries(way, method));
  const found: T[] = [];
  for (let at = 0; at < carried.length; at += BY_ONE_LINE) {
    using line = await stage.line(way, credential);
    found.push(...(await Promise.all(carried.slice(at, at + BY_ONE_LINE).map((rpc) => each(line, rpc)))));
  }
  return found;
}

/** The calls, by their names, of callers that do not count and whose answer was another than that; health is everybody's. */
async function letInWrongly(
  stage: Stage,
  ways: readonly Way[],
  credentials: readonly Credential[],
): Promise<readonly string[]> {
  const wrong: string[] = [];
  let refused = 0;
  const before = stage.calls;
  for (const credential of credentials) {
    for (const way of ways) {
      await overAll(stage, way, credential, async (line, rpc) => {
        const isOpen = rpc.rule === "open";
        // What cannot be decoded would be answered with that, if anybody looked.
        for (const about of isOpen ? [stage.things] : [undefined, stage.things]) {
          const { code, messages } = await ask(line, { way, rpc, credential, about });
          refused += isOpen ? 0 : 1;
          const isRight = isOpen ? isServed(way, rpc, code) : code === UNAUTHENTICATED && messages.length === 0;
          if (!isRight) wrong.push(`${credential.worth} ${credential.kind}: ${rpc.name} by ${way.name}: ${code}`);
        }
      });
    }
  }
  // Lines of a transport worker come a little later than its answers.
  await expect.poll(() => stage.calls.refused - before.refused).toBeGreaterThanOrEqual(refused - wrong.length);
  if (stage.calls.seen > before.seen) wrong.push(`${stage.calls.seen - before.seen} calls reached their services`);
  return wrong;
}

/** Whether a call was served, or is none by GET. */
function isServed({ protocol }: Way, { method }: Rpc, code: number): boolean {
  const isSafe = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return protocol === "connect-get" && !isSafe ? code === NO_GET : code === 0;
}

/** What a name or an id stands for is left out, and what time changes. */
function masked(heard: Heard, { name, card, lease, waiterId }: Things): string {
  const names = [name, card, lease.leaseId, waiterId];
  const plain = names.reduce((text, each) => text.replaceAll(each, "…"), JSON.stringify(heard));
  return plain.replaceAll(/"(?:readTime|at|sessionId|secret)":"[^"]*"/g, "");
}

/** What a session has answered to one of its commands. */
function answersTo(id: string, messages: readonly JsonValue[]): readonly JsonValue[] {
  const said = messages as unknown as readonly { readonly answers?: readonly { readonly id: string }[] }[];
  return said.flatMap(({ answers = [] }) => answers.filter((answer) => answer.id === id)) as readonly JsonValue[];
}

/** Whether a session has answered its sign of life, which it does behind what was refused before. */
function isAlive(messages: readonly JsonValue[]): boolean {
  return answersTo("2", messages).length > 0;
}

/** With which status the page of metrics is answered over each version of HTTP. */
async function pageStatuses(stage: Stage, credential: Credential): Promise<readonly number[]> {
  const { authorization } = credential;
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const statuses = (["1.1", "2"] as const).map(async (version) => {
    using line = await stage.line({ port: "web", version }, credential);
    return (await line.ask({ method: "GET", path: "/metrics", headers, body: undefined })).status;
  });
  return Promise.all(statuses);
}

const FEW_WAYS = WAYS.filter(({ port, protocol, version, codec }) => {
  const ofWeb = protocol === "connect" ? version === "2" : protocol === "grpc-web" && version === "1.1";
  return codec === "proto" && (port === "grpc" || ofWeb);
});

describe.each<{
  name: string;
  tls: boolean;
  workers: number;
  kinds: readonly Credential["kind"][];
  ways: readonly Way[];
}>([
  { name: "over TLS", tls: true, workers: 0, kinds: ["none", "token", "jwt", "certificate"], ways: WAYS },
  { name: "in plain text", tls: false, workers: 0, kinds: ["none", "token"], ways: FEW_WAYS },
  { name: "with transport workers", tls: true, workers: 2, kinds: ["none", "jwt", "certificate"], ways: FEW_WAYS },
])("$name", ({ tls, workers, kinds, ways }) => {
  let stage: Stage;
  // The last test changes what is there.
  beforeAll(async () => {
    stage = await startStage({ tls, workers });
  }, TIMEOUT);
  afterAll(() => stage[Symbol.asyncDispose]());

  const among = (...worths: readonly Worth[]) =>
    stage.credentials.all.filter(({ kind, worth }) => kinds.includes(kind) && worths.includes(worth));

  test(
    "no call without a credential that counts reaches a service, or has its request decoded",
    async () => {
      const before = await stage.everything();
      const credentials = among("none", "garbage", "expired", "foreign");
      expect(await letInWrongly(stage, ways, credentials)).toEqual([]);
      expect(await stage.everything()).toBe(before);
    },
    TIMEOUT,
  );

  test(
    "a caller with no right to it is told nothing of what is there, and changes nothing",
    async () => {
      const before = await stage.everything();
      for (const credential of among("poor")) {
        for (const way of ways) {
          const found = await overAll(stage, way, credential, async (line, rpc) => {
            const there = await ask(line, { way, rpc, credential, about: stage.things });
            const missing = await ask(line, { way, rpc, credential, about: NOTHING });
            return { rpc, there: masked(there, stage.things), missing: masked(missing, NOTHING), code: there.code };
          });
          const by = `${credential.kind} by ${way.name}`;
          const told = found.filter(({ there, missing }) => there !== missing);
          expect(told, by).toEqual([]);
          // A list shows what may be seen; of what has an id alone the service decides.
          const isDenied = ({ rule }: Rpc) => rule === "named" || rule === "own-work";
          const wrong = found.filter(({ rpc, code }) => isDenied(rpc) && code !== PERMISSION_DENIED && code !== NO_GET);
          expect(
            wrong.map(({ rpc, code }) => [rpc.name, code]),
            by,
          ).toEqual([]);
        }
      }
      expect(await stage.everything()).toBe(before);
    },
    TIMEOUT,
  );

  test(
    "nor by a command of a session",
    async () => {
      const before = await stage.everything();
      for (const credential of among("poor")) {
        for (const way of ways) {
          const each = async (line: Line, rpc: Rpc) => {
            const told = [];
            for (const about of [stage.things, NOTHING]) {
              const heard = await ask(line, { way, rpc, credential, about, goesOn: true, isEnough: isAlive });
              told.push(masked({ ...heard, messages: answersTo("1", heard.messages) }, about));
            }
            return { rpc: rpc.name, there: told[0], missing: told[1] };
          };
          const found = await overAll(stage, way, credential, each, COMMAND_RPCS);
          expect(found.filter(({ there, missing }) => there !== missing)).toEqual([]);
        }
      }
      expect(await stage.everything()).toBe(before);
    },
    TIMEOUT,
  );

  test("figures are for callers who may observe everything: others are refused, and so are those that do not count", async () => {
    const found = await Promise.all(
      among("none", "garbage", "expired", "foreign", "poor", "right").map(async (credential) => {
        const wanted = credential.worth === "poor" || credential.worth === "right" ? 403 : 401;
        const statuses = await pageStatuses(stage, credential);
        return { credential, isRight: statuses.every((status) => status === wanted), statuses };
      }),
    );
    expect(found.filter(({ isRight }) => !isRight)).toEqual([]);
    expect(found.length).toBeGreaterThan(kinds.length);
    const authorization = `Bearer ${stage.credentials.operator}`;
    const operator: Credential = { kind: "token", worth: "right", authorization, certificate: undefined };
    expect(await pageStatuses(stage, operator)).toEqual([200, 200]);
  });

  test(
    "a caller with the right to it reaches its service, whatever the protocol",
    async () => {
      for (const credential of among("right")) {
        for (const way of ways) {
          const before = stage.calls.seen;
          const found = await overAll(stage, way, credential, async (line, rpc) => {
            const { code } = await ask(line, { way, rpc, credential, about: stage.things });
            return { rpc, code };
          });
          // What an id stood for may have gone with a call before, and the configuration is nobody's own.
          const isRefusable = ({ rule, method }: Rpc) => rule === "service" || method.name === "GetConfig";
          const wrong = found.filter(
            ({ rpc, code }) => code === UNAUTHENTICATED || (code === PERMISSION_DENIED && !isRefusable(rpc)),
          );
          expect(
            wrong.map(({ rpc, code }) => [rpc.name, code]),
            `${credential.kind} by ${way.name}`,
          ).toEqual([]);
          // Else the count of the others would say nothing.
          const reaching = found.filter(({ rpc }) => rpc.rule !== "open").length;
          if (way.protocol !== "connect-get") await expect.poll(() => stage.calls.seen - before).toBe(reaching);
        }
      }
    },
    TIMEOUT,
  );

  test("no secret of a caller stands in what was written of all these calls", async () => {
    const { all, operator } = stage.credentials;
    const shown = all.flatMap(({ authorization, worth }) =>
      authorization === undefined || worth === "garbage" ? [] : [authorization.slice("Bearer ".length)],
    );
    const secrets = [...shown, ...shown.map((token) => token.slice(-43)), operator, stage.things.lease.secret];
    const written = await stage.written();
    for (const [where, text] of Object.entries(written)) {
      expect(text.length, where).toBeGreaterThan(1_000);
      expect(secretsIn(text), where).toEqual([]);
      expect(secrets.filter((secret) => text.includes(secret)).length, where).toBe(0);
    }
    // Else nobody would have said anything of them.
    expect(written.audit).toContain("token:red");
  });
});

test("control: where anonymous callers are let in, the same calls are found to be let in", async () => {
  await using stage = await startStage({ tls: false, workers: 0, more: { allow_anonymous: true } });
  const ways = WAYS.slice(0, 1);
  const wrong = await letInWrongly(stage, ways, stage.credentials.all.slice(0, 1));
  const asked = RPCS.filter(({ rule }) => rule !== "open");
  // Streams that both sides go on with begin before their first request is decoded.
  const begun = RPCS.filter(({ rule, method }) => rule !== "open" && method.methodKind === "bidi_streaming").length;
  expect(wrong).toHaveLength(2 * asked.length + 1);
  expect(wrong.at(-1)).toBe(`${asked.length + begun} calls reached their services`);
});
