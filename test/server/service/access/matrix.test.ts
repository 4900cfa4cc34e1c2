/** Three tenants × every RPC: nothing of one reaches another, and what is there is answered like what is not. */

import type { DescMethod } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ConfigService } from "../../../../src/server/gen/ggen/backpressure/config/v1/config_service_pb.ts";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/server/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/server/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { RULES } from "../../../../src/server/service/access/rules.ts";
import { ADMISSION, BOARDS, CONFIG, LIMITERS, type Things } from "./support/samples.ts";
import { type AccessStage, callerOf, createStage, entryOf } from "./support/stage.ts";

const TENANTS = ["red", "green", "blue"] as const;
const ALL = ["acquire", "observe", "operate"] as const;
const ACCESS = [
  ...TENANTS.map((tenant) => entryOf([`token:${tenant}`], ALL, { limiters: [`${tenant}-*`], boards: [`${tenant}-*`] })),
  entryOf(["group:sre"], ALL, { limiters: ["*"], boards: ["*"] }),
];
const SRE = callerOf("token:sre", { groups: ["sre"] });
/** A caller that is for no entry: it has a credential, and may nothing. */
const STRANGER = callerOf("token:stranger");

type Sample = (things: Things) => object;

/** Every RPC of the contract, with its sample. */
const RPCS: readonly (readonly [string, DescMethod, Sample])[] = [
  ...rows(AdmissionService.methods, ADMISSION),
  ...rows(LimiterService.methods, LIMITERS),
  ...rows(BoardService.methods, BOARDS),
  ...rows(ConfigService.methods, CONFIG),
];

function rows(methods: readonly DescMethod[], samples: object) {
  return methods.map((method): readonly [string, DescMethod, Sample] => {
    return [method.name, method, (samples as Record<string, Sample>)[method.localName] as Sample];
  });
}

/** What is nobody's. */
const NOTHING: Things = {
  name: "none-db",
  card: "none-card",
  fencingToken: 7n,
  lease: { leaseId: "none", secret: "none" },
  waiterId: "none",
  requestId: "none-0123456789abcdef",
};

/** Gives a tenant a limiter that is full and waited for, and a board with a card that is worked on. */
async function furnish(stage: AccessStage, tenant: string): Promise<Things> {
  const caller = callerOf(`token:${tenant}`);
  const name = `${tenant}-db`;
  const card = `${tenant}-card`;
  const requestId = `${tenant}-0123456789abcdef`;
  await stage.call(LimiterService.method.createLimiter, { limiter: { name, maxConcurrent: 1 } }, caller);
  const claims = [{ limiter: name }];
  const held = await stage.call(AdmissionService.method.tryAcquire, { claims, requestId, holder: tenant }, caller);
  if (held.result.case !== "granted") throw new Error(`${tenant} has no lease`);
  const { lease, secret } = held.result.value;
  stage.open(AdmissionService.method.acquire, { claims, holder: tenant }, caller);
  const { waiters } = await stage.call(LimiterService.method.listWaiters, { limiter: name }, caller);
  const stages = [{ name: "todo" }, { name: "doing" }, { name: "done" }];
  await stage.call(BoardService.method.createBoard, { board: { name, stages } }, caller);
  await stage.call(BoardService.method.addCard, { board: name, card: { id: card, title: tenant } }, caller);
  const pulled = await stage.call(
    BoardService.method.tryPullCard,
    { board: name, stage: "doing", worker: tenant, ttl: { seconds: 60n } },
    caller,
  );
  if (pulled.result.case !== "pulled") throw new Error(`${tenant} has no card`);
  return {
    name,
    card,
    fencingToken: pulled.result.value.card?.lease?.fencingToken ?? 0n,
    lease: { leaseId: lease?.id ?? "", secret },
    waiterId: waiters[0]?.id ?? "",
    requestId,
  };
}

async function furnished() {
  const stage = createStage(ACCESS);
  const things = new Map<string, Things>();
  for (const tenant of TENANTS) things.set(tenant, await furnish(stage, tenant));
  const of = (tenant: string) => things.get(tenant) as Things;
  return { stage, of };
}

/** All that there is, as an operator sees it, but for what time changes. */
async function everything({ call }: AccessStage): Promise<string> {
  const { limiters } = await call(LimiterService.method.listLimiters, {}, SRE);
  const { leases } = await call(LimiterService.method.listLeases, {}, SRE);
  const boards = await Promise.all(
    TENANTS.map((tenant) => call(BoardService.method.getBoard, { name: `${tenant}-db`, cards: true }, SRE)),
  );
  const waiters = await Promise.all(
    TENANTS.map((tenant) => call(LimiterService.method.listWaiters, { limiter: `${tenant}-db` }, SRE)),
  );
  return JSON.stringify(
    [
      limiters.map(({ name, etag }) => [name, etag]),
      leases,
      boards.map(({ cards }) => cards),
      waiters.map((w) => w.waiters),
    ],
    (name, value) =>
      typeof value === "bigint" ? String(value) : /age|time|Age|Time|estimate/.test(name) ? null : value,
  );
}

describe.each(RPCS)("%s", (_, method, sample) => {
  test("of another's things shows and changes nothing, and answers as if they were not there", async () => {
    const { stage, of } = await furnished();
    const before = await everything(stage);
    for (const thief of [callerOf("token:green"), STRANGER, callerOf("anonymous")]) {
      const there = await stage.hear(method, sample(of("red")), thief);
      const missing = await stage.hear(method, sample(NOTHING), thief);
      expect(shape(there, of("red"))).toEqual(shape(missing, NOTHING));
      // Names that the request itself has may be repeated.
      const known = JSON.stringify(sample(of("red")), (_name, value) =>
        typeof value === "bigint" ? String(value) : value,
      );
      for (const secret of [of("red").name, of("red").card, of("blue").name, of("blue").card, "token:red"]) {
        if (!known.includes(secret)) expect(there.messages.join() + there.error?.message).not.toContain(secret);
      }
      expect(await everything(stage)).toBe(before);
    }
  });

  test("of one's own things is not refused for want of a right", async () => {
    const { stage, of } = await furnished();
    const { reason } = await stage.hear(method, sample(of("red")), callerOf("token:red"));
    // The configuration is everybody's, and nobody's own.
    expect(reason).toBe(method.localName === "getConfig" ? "NOT_ALLOWED" : reason === "NOT_ALLOWED" ? "" : reason);
    expect((await stage.hear(method, sample(of("red")), SRE)).reason).not.toBe("NOT_ALLOWED");
  });
});

/** What was heard, with a placeholder for what a request names. */
function shape({ messages, reason, error, ended }: Awaited<ReturnType<AccessStage["hear"]>>, things: Things): unknown {
  const names = [things.name, things.card, things.lease.leaseId, things.waiterId].filter((name) => name !== "");
  const plain = (text: string) => names.reduce((left, name) => left.replaceAll(name, "…"), text);
  const details = JSON.stringify(error?.details.map((each) => each.value) ?? [], (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  const times = (text: string) => text.replaceAll(/"(?:readTime|at)":"[^"]*"/g, "");
  return {
    messages: messages.map((text) => times(plain(text))),
    reason,
    ended,
    details: plain(details),
    message: plain(error?.message ?? ""),
  };
}

test("every RPC that is served has a rule, and no rule is of another", () => {
  const served = createStage().services.flatMap(({ descriptor, methods }) =>
    methods.map((method) => `${descriptor.typeName}/${method.descriptor.localName}`),
  );
  const ruled = Object.entries(RULES).flatMap(([service, rules]) =>
    Object.keys(rules).map((name) => `${service}/${name}`),
  );
  expect(ruled.sort()).toEqual(served.sort());
});

test("without a list every caller may everything", async () => {
  const stage = createStage();
  const things = await furnish(stage, "red");
  for (const [, method, sample] of RPCS) {
    const { reason } = await stage.hear(method, sample(things), STRANGER);
    expect([method.name, reason === "NOT_ALLOWED"]).toEqual([method.name, false]);
  }
});
