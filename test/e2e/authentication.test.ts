/** Who may call: tokens, good and hostile, on both ports and in all protocols. */

import { createHmac } from "node:crypto";
import type { Socket } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { exportSPKI, importJWK, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { type AuthenticatorSettings, createAuthenticator } from "../../src/server/auth/create-authenticator.ts";
import { createFailedAttempts, createFailureMemory } from "../../src/server/auth/failed-attempts.ts";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { createSystemClock } from "../../src/server/clock.ts";
import { parseConfig } from "../../src/server/config/config.ts";
import {
  createGrpcClient as createRawClient,
  failureOf,
  richStatusOf,
} from "../server/transport/support/grpc-client.ts";
import { createMemoryLog } from "../server/transport/support/memory-log.ts";
import type { CallFailure } from "../support/call-failure.ts";
import {
  AUDIENCE,
  createSigningKey,
  ISSUER,
  type SigningKey,
  sign,
  startKeyPort,
} from "../support/identity-provider.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const secret = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const TOKEN = `bp_ci_${secret(7)}`;
const PATH = "/ggen.backpressure.v1.AdmissionService/TryAcquire";

let es: SigningKey;
let rs: SigningKey;
let foreign: SigningKey;

beforeAll(async () => {
  [es, rs, foreign] = [
    await createSigningKey("ES256"),
    await createSigningKey("RS256"),
    await createSigningKey("ES256"),
  ];
});

function yamlWith({ tokens = [TOKEN], url = "", more = {} }: { tokens?: string[]; url?: string; more?: object } = {}) {
  const sha256 = tokens.map((token) => digestOf(token).toString("hex"));
  const auth = {
    tokens: tokens.length === 0 ? [] : [{ name: "ci", sha256, groups: ["sre"] }],
    jwt: url === "" ? [] : [{ name: "idp", issuer: ISSUER, audience: AUDIENCE, jwks: { url } }],
  };
  const fields = Object.entries({ limiters: [{ name: "db", max_concurrent: 1000 }], auth, ...more });
  return fields.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join("");
}

async function start(options: Parameters<typeof yamlWith>[0] = {}): Promise<TestServer> {
  const server = await startTestServer(yamlWith(options));
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function startWithKeys(keys: readonly SigningKey[]) {
  const port = await startKeyPort(keys.map(({ jwk }) => jwk));
  return { port, server: await start({ url: port.url }) };
}

/** `served`, or the code and the reason of the refusal. */
async function callGrpc(
  { address }: TestServer,
  authorization?: string,
  client = createRawClient(address),
): Promise<string> {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  const call = client.tryAcquire({ claims: [{ limiter: "db" }] }, {}, metadata);
  try {
    await call;
    return "served";
  } catch {
    const error = await failureOf(call);
    return `${error.code} ${richStatusOf(error).message}`;
  }
}

const REFUSED = /^16 the server does not know who calls/;
const bearer = (token: string) => `Bearer ${token}`;

describe("a server that asks who calls", () => {
  it("serves the token of an operator, and nobody without one, on both ports and in all protocols", async () => {
    const server = await start();
    expect(await callGrpc(server, bearer(TOKEN))).toBe("served");
    expect(await callGrpc(server)).toMatch(REFUSED);
    const types = ["application/json", "application/proto", "application/connect+json", "application/grpc-web+proto"];
    for (const type of types) {
      const body = type.endsWith("json") ? "{}" : "";
      const answer = await fetch(`${server.url}${PATH}`, { method: "POST", headers: { "content-type": type }, body });
      const text = `${answer.status} ${answer.headers.get("grpc-status") ?? ""} ${await answer.text()}`;
      if (type === "application/grpc-web+proto") expect(text).toBe("200 16 ");
      else if (type === "application/connect+json") expect(text).toMatch(/^200 .*"code":"unauthenticated"/s);
      else expect(text).toMatch(/^401 .*"code":"unauthenticated"/);
    }
    const headers = { "content-type": "application/json", authorization: bearer(TOKEN) };
    const answer = await fetch(`${server.url}${PATH}`, {
      method: "POST",
      headers,
      body: '{"claims":[{"limiter":"db"}],"ttl":"1s"}',
    });
    expect(answer.status).toBe(200);
  });

  it("answers every call of the contract so, before its handler, but for health", async () => {
    const server = await start();
    const { LimiterService } = await import("../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts");
    const { BoardService } = await import("../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts");
    const { SessionService } = await import("../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts");
    const { Health } = await import("../../src/client/gen/grpc/health/v1/health_pb.ts");
    const methods: DescMethod[] = [AdmissionService, LimiterService, BoardService, SessionService].flatMap(
      (service) => [...service.methods],
    );
    const client = createRawClient(server.address);
    const outcomes = await Promise.all(
      methods.map(async ({ parent, name }) => {
        const error = await failureOf(client.call(`/${parent.typeName}/${name}`, Buffer.alloc(0)));
        return [name, error.code, richStatusOf(error).details.length > 0] as const;
      }),
    );
    expect(outcomes.filter(([, code, isRich]) => code !== 16 || !isRich)).toEqual([]);
    expect(outcomes.length).toBeGreaterThan(30);
    await client.call(`/${Health.typeName}/Check`, Buffer.alloc(0));
  });

  it("lets nobody in by a header of its own", async () => {
    const server = await start();
    const client = createRawClient(server.address);
    const held = client.acquire({ claims: [{ limiter: "db" }] });
    held.on("error", () => {});
    const outcomes = await Promise.all(
      ["ggen-stream", "ggen-caller", "ggen-due", "x-forwarded-user", "x-forwarded-client-cert"].flatMap((name) =>
        ["1", "2", "token:ci"].map((value) => {
          const metadata = new Metadata();
          metadata.set(name, value);
          return failureOf(client.tryAcquire({ claims: [{ limiter: "db" }] }, {}, metadata));
        }),
      ),
    );
    expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => 16));
  });

  it("lets nobody be another by a header of its own", async () => {
    const poor = `bp_poor_${secret(11)}`;
    const entryOf = (name: string, token: string) => ({ name, sha256: [digestOf(token).toString("hex")] });
    const auth = { tokens: [entryOf("ci", TOKEN), entryOf("poor", poor)] };
    const access = [{ who: ["token:ci"], may: ["acquire"], limiters: ["*"] }];
    const server = await start({ more: { auth, access } });
    await using client = server.grpc();
    const request = { claims: [{ limiter: "db" }] };
    const headersOf = (token: string) => ({ authorization: bearer(token) });
    // Its stream is open, with whatever the server knows it by.
    await client.open(AdmissionService.method.acquire, request, { headers: headersOf(TOKEN) }).next();
    const codes = ["ggen-stream", "ggen-caller", "x-forwarded-user"].flatMap((name) =>
      ["0", "1", "2", "3", "token:ci"].map((value) => {
        const headers = { ...headersOf(poor), [name]: value };
        return client.call(AdmissionService.method.tryAcquire, request, { headers }).then(
          () => "served",
          ({ code }: CallFailure) => code,
        );
      }),
    );
    expect(new Set(await Promise.all(codes))).toEqual(new Set([Code.PermissionDenied]));
  });

  it("serves anonymous callers where the file says so, but none with a credential that does not count", async () => {
    const server = await start({ more: { allow_anonymous: true } });
    expect(await callGrpc(server)).toBe("served");
    expect(await callGrpc(server, bearer(`bp_ci_${secret(8)}`))).toMatch(REFUSED);
  });

  it("knows the right token of an address that has shown 20 wrong ones, which are logged once", async () => {
    const server = await start();
    const client = createRawClient(server.address);
    for (let i = 0; i < 25; i++)
      expect(await callGrpc(server, bearer(`bp_ci_${secret(i + 20)}`), client)).toMatch(REFUSED);
    expect(await callGrpc(server, bearer(TOKEN), client)).toBe("served");
    const told = server.log.at("warn").filter(({ message }) => message.startsWith("a credential does not count"));
    expect(told).toHaveLength(1);
    expect(JSON.stringify(server.log.lines)).not.toContain(secret(7));
  });
});

describe("signed tokens", () => {
  it("of the issuer's keys count, by each algorithm", async () => {
    const ed = await createSigningKey("EdDSA");
    const { server } = await startWithKeys([es, rs, ed]);
    for (const key of [es, rs, ed]) expect(await callGrpc(server, bearer(await sign(key)))).toBe("served");
  });

  it("are verified no more from an address that has shown 20 wrong ones; those that counted before do so on, also after a reload", async () => {
    const { url } = await startKeyPort([es.jwk]);
    const settingsOf = (tokens: string[]): AuthenticatorSettings => {
      const config = parseConfig(yamlWith({ url, tokens }), { path: undefined, overrides: [] });
      if (config.kind === "invalid") throw new Error(JSON.stringify(config.problems));
      return { auth: config.settings.auth, allowAnonymous: false, certificates: false };
    };
    const clock = createSystemClock();
    const authenticator = createAuthenticator({
      secretKey: Buffer.alloc(32),
      settings: settingsOf([TOKEN]),
      failures: createFailedAttempts(createFailureMemory(), clock.now),
      clock,
      log: createMemoryLog(),
    });
    onTestFinished(() => authenticator.close());
    const socket = { remoteAddress: "192.0.2.1" } as Socket;
    const nameOf = async (token: string, from = socket) =>
      (await authenticator.identify(from, { authorization: bearer(token) }))?.name;
    const [before, after] = [await sign(es), await sign(es, { sub: "later" })];
    const known = await nameOf(before);
    expect(known).toMatch(/^idp:/);
    for (let i = 0; i < 20; i++) expect(await nameOf(await sign(foreign))).toBeUndefined();
    expect(await nameOf(after)).toBeUndefined();
    expect(await nameOf(before)).toBe(known);
    authenticator.configure(settingsOf([TOKEN, `bp_ci_${secret(8)}`]));
    expect(await nameOf(before)).toBe(known);
    // Control: it is its address that is not listened to.
    expect(await nameOf(after, { remoteAddress: "192.0.2.2" } as Socket)).toBe("idp:later");
  });

  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = (more: JWTPayload = {}) => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: ISSUER, aud: AUDIENCE, sub: "billing", exp: now + 600, ...more };
  };
  const without = async (claim: string) => {
    const { [claim]: _, ...rest } = claims() as JWTPayload;
    return new SignJWT(rest).setProtectedHeader({ alg: es.alg, kid: es.kid }).sign(es.privateKey);
  };
  const withHeader = async (header: object) => {
    const signed = await sign(es);
    const [, payload, signature] = signed.split(".");
    return `${part({ alg: es.alg, kid: es.kid, ...header })}.${payload}.${signature}`;
  };
  const byHmac = (head: object, key: string | Buffer) => {
    const text = `${part(head)}.${part(claims())}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };

  const HOSTILE: Readonly<Record<string, () => Promise<string> | string>> = {
    "alg none": () => `${part({ alg: "none" })}.${part(claims())}.`,
    "alg None": () => `${part({ alg: "None" })}.${part(claims())}.`,
    "alg none with a signature": async () => withHeader({ alg: "none" }),
    "HS256 with the public key in PEM": async () => {
      const pem = await exportSPKI((await importJWK(rs.jwk, "RS256", { extractable: true })) as never);
      return byHmac({ alg: "HS256", kid: rs.kid }, pem);
    },
    "HS256 with the public key as it is served": () => byHmac({ alg: "HS256", kid: es.kid }, JSON.stringify(es.jwk)),
    "HS256 with an empty secret": () => byHmac({ alg: "HS256" }, ""),
    "another key under the id of a good one": async () => sign({ ...foreign, kid: es.kid }),
    "a key that the token brings": async () => {
      const head = { alg: "ES256", jwk: foreign.jwk };
      return new SignJWT(claims()).setProtectedHeader(head as never).sign(foreign.privateKey);
    },
    "a URL of keys that the token brings": async () => {
      const head = { alg: "ES256", jku: "http://127.0.0.1:1/keys", kid: "x" };
      return new SignJWT(claims()).setProtectedHeader(head).sign(foreign.privateKey);
    },
    "a certificate that the token brings": async () => {
      const x5c = [Buffer.from(await exportSPKI((await importJWK(foreign.jwk, "ES256")) as never)).toString("base64")];
      const head = { alg: "ES256", kid: es.kid, x5c, x5u: "http://127.0.0.1:1/certificate" };
      return new SignJWT(claims()).setProtectedHeader(head).sign(foreign.privateKey);
    },
    "an algorithm that is said twice": async () => {
      const [, payload, signature] = (await sign(es)).split(".");
      const head = `{"alg":"none","alg":"${es.alg}","kid":"${es.kid}"}`;
      return `${Buffer.from(head).toString("base64url")}.${payload}.${signature}`;
    },
    "claims that are said twice": async () => {
      const [head, , signature] = (await sign(es)).split(".");
      const twice = `{"sub":"billing","sub":"admin",${JSON.stringify(claims()).slice(1)}`;
      return `${head}.${Buffer.from(twice).toString("base64url")}.${signature}`;
    },
    "another algorithm of the same key": async () => withHeader({ alg: "ES384" }),
    "a dot behind it": async () => `${await sign(es)}.`,
    "a dot before it": async () => `.${await sign(es)}`,
    "five parts, as if it were encrypted": async () => `${await sign(es)}.e30.e30`,
    "no signature": async () => (await sign(es)).replace(/[^.]*$/, ""),
    "a signature of zeros": async () => (await sign(es)).replace(/[^.]*$/, Buffer.alloc(64).toString("base64url")),
    "white space in it": async () => (await sign(es)).replace(".", ". "),
    "a line break in it": async () => (await sign(es)).replace(".", ".%0a"),
    "an unknown key": async () => sign(foreign),
    "no exp": () => without("exp"),
    "no sub": () => without("sub"),
    "no aud": () => without("aud"),
    "no iss": () => without("iss"),
    "exp in the past": () => sign(es, {}, -60),
    "exp as text": () => sign(es, { exp: "9999999999" as never }),
    "nbf in the future": () => sign(es, { nbf: Math.floor(Date.now() / 1000) + 600 }),
    "another audience": () => sign(es, { aud: "other" }),
    "another issuer": () => sign(es, { iss: `${ISSUER}/` }),
    "8 KiB": () => sign(es, { filler: "x".repeat(8_192) }),
    "deep JSON": () => {
      const deep = `${"[".repeat(2_000)}${"]".repeat(2_000)}`;
      return `${part({ alg: "ES256", kid: es.kid })}.${Buffer.from(`{"iss":"${ISSUER}","a":${deep}}`).toString("base64url")}.c2ln`;
    },
    "a critical header that nobody knows": async () => withHeader({ crit: ["b64"], b64: false }),
    "a changed payload": async () => {
      const [head, , signature] = (await sign(es)).split(".");
      return `${head}.${part(claims({ sub: "admin" }))}.${signature}`;
    },
    "a subject that would break a line": () => sign(es, { sub: "a\nb" }),
    "no JSON": () => "e30.bm9uc2Vuc2U.c2ln",
    "nothing between dots": () => "..",
  };

  it.each(Object.entries(HOSTILE))("with %s do not count", async (_, make) => {
    const { server } = await startWithKeys([es, rs]);
    expect(await callGrpc(server, bearer(await make()))).toMatch(REFUSED);
    // The server lives, and knows the good one.
    expect(await callGrpc(server, bearer(await sign(es)))).toBe("served");
  });

  it("go on counting while the issuer is down, and unknown keys do not", async () => {
    const { server, port } = await startWithKeys([es]);
    expect(await callGrpc(server, bearer(await sign(es)))).toBe("served");
    port.isDown = true;
    expect(await callGrpc(server, bearer(await sign(es, { sub: "another" })))).toBe("served");
    expect(await callGrpc(server, bearer(await sign(foreign)))).toMatch(REFUSED);
  });

  it("with made-up keys have the issuer asked once", async () => {
    const { server, port } = await startWithKeys([es]);
    await callGrpc(server, bearer(await sign(es)));
    const before = port.asked;
    await Promise.all(
      Array.from({ length: 15 }, async (_, i) =>
        callGrpc(server, bearer(await sign({ ...foreign, kid: `made-up-${i}` }))),
      ),
    );
    expect(port.asked - before).toBeLessThanOrEqual(1);
  });

  it("are refused with no word of what was wrong", async () => {
    const { server } = await startWithKeys([es]);
    const words = new Set([
      await callGrpc(server),
      await callGrpc(server, bearer(await sign(foreign))),
      await callGrpc(server, bearer(await sign(es, {}, -60))),
      await callGrpc(server, bearer(`bp_ci_${secret(9)}`)),
      await callGrpc(server, "Basic YTpi"),
    ]);
    expect(words.size).toBe(1);
    expect(Code.Unauthenticated).toBe(16);
  });
});
