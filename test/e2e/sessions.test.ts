/** SessionService, over both ports: many commands on one stream, by the rules of the calls of their names. */

import { create } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AdmissionService } from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { SessionRequestSchema, SessionService } from "../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Status } from "../../src/client/gen/google/rpc/status_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/server/gen/google/rpc/error_details_pb.ts";
import { startTestServer } from "../support/server.ts";
import { acquireOf, leaseOf, openSession, releaseOf, tryAcquireOf } from "./support/session.ts";

const LIMITERS = `limiters:
  - { name: db, max_concurrent: 2, ttl: 2s }
  - { name: distrusting, max_concurrent: 5, ttl: 1s, trust_cancel: false }
  - { name: rate, max_rps: 1, burst_size: 1 }
`;
const BOARD = `boards:
  - name: b
    ttl: 1s
    stages: [{ name: todo, kind: QUEUE }, { name: doing, kind: WORK, wip_limit: 2 }, { name: done, kind: QUEUE }]
`;
const REQUEST_ID = "0123456789abcdef";

function reasonOf(status: Status | undefined): string | undefined {
  return status?.details.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? [])[0]?.reason;
}

async function attachments(server: Awaited<ReturnType<typeof startTestServer>>, limiter = "db"): Promise<string[]> {
  const { leases } = await server.grpc().call(LimiterService.method.listLeases, { limiter });
  return leases.map(({ state }) => ["unspecified", "attached", "orphaned", "detached"][state] ?? "");
}

describe("a session", () => {
  it("answers each command as the call of its name does", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    const { credential, resumed } = await session.open();
    expect([credential?.sessionId.length, resumed]).toEqual([20, false]);
    const first = await session.ask(acquireOf("db"));
    expect(first).toMatchObject({ case: "granted", value: { secret: "", validFor: { seconds: 1n } } });
    const second = leaseOf(await session.ask(tryAcquireOf("db")));
    const refused = await session.ask(tryAcquireOf("db"));
    expect(refused).toMatchObject({ case: "refused", value: { limiter: "db", message: expect.any(String) } });
    const never = await session.ask(acquireOf("none"));
    expect(never).toMatchObject({ case: "failed", value: { code: Code.NotFound } });
    expect(reasonOf(never.value as Status)).toBe("LIMITER_NOT_FOUND");
    expect(await session.ask({ case: "renew", value: {} })).toMatchObject({ value: { validFor: { seconds: 1n } } });
    const waiter = await session.waits(acquireOf("db"));
    expect(await session.ask(releaseOf(second))).toMatchObject({ case: "released", value: { alreadyEnded: false } });
    leaseOf((await session.lastAnswer(waiter)).answer);
    expect(await session.ask(releaseOf(second))).toMatchObject({ value: { alreadyEnded: true } });
    expect(await attachments(server)).toEqual(["attached", "attached"]);
    // No notice of what its client has done itself.
    expect(session.notices()).toEqual([]);
    session.call.end();
    expect(await session.ended).toBeUndefined();
    expect(await attachments(server)).toEqual(["orphaned", "orphaned"]);
  });

  it("says what is decided in one turn in one message, in order", async () => {
    await using server = await startTestServer("limiters: [{ name: many, max_concurrent: 1000 }]");
    const session = openSession(server.address);
    await session.open();
    const ids = session.send(...Array.from({ length: 100 }, () => tryAcquireOf("many")));
    await session.lastAnswer(ids.at(-1) as bigint);
    expect(session.answers().map(({ id }) => id)).toEqual(ids);
    expect(session.responses).toHaveLength(2);
  });

  it("fails a command alone that breaks a rule, and names the field", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    await session.open();
    const fieldOf = async (command: Parameters<typeof session.ask>[0]) => {
      const { value } = await session.ask(command);
      const details = (value as Status).details.flatMap((any) => anyUnpack(any, BadRequestSchema) ?? []);
      return details[0]?.fieldViolations[0]?.field;
    };
    expect(await fieldOf(acquireOf(""))).toBe("claims[0].limiter");
    expect(await fieldOf(acquireOf("db", { keepOnCancel: true }))).toBe("keep_on_cancel");
    expect(await fieldOf({ case: "acquire", value: { resume: { leaseId: "l", secret: "s" } } })).toBe("resume");
    expect(await fieldOf({ case: "tryAcquire", value: { claims: [{ limiter: "db", permits: 0, tokens: 0 }] } })).toBe(
      "claims[0]",
    );
    expect(await fieldOf({ case: undefined } as never)).toBe("command");
    leaseOf(await session.ask(acquireOf("db")));
  });

  it.each([
    ["no open", {}, "open"],
    ["a credential without a secret", { open: { resume: { sessionId: "s" } } }, "open.resume.secret"],
  ])("fails whose first message has %s", async (_, request, field) => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    session.write(request);
    expect(await session.ended).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining(field) });
  });

  it("fails that is opened twice, or uses an id that has no last answer", async () => {
    await using server = await startTestServer(LIMITERS);
    const twice = openSession(server.address);
    await twice.open();
    twice.write({ open: {} });
    expect(await twice.ended).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining("open") });
    const session = openSession(server.address);
    await session.open();
    for (const _ of ["a", "b"]) leaseOf(await session.ask(acquireOf("db")));
    const id = await session.waits(acquireOf("db"));
    session.write({ commands: [{ id, command: { case: "renew", value: {} } }] });
    expect(await session.ended).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining("id") });
  });

  it("cancels a command that waits, and answers a grant that came before", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    await session.open({ keepOnCancel: false });
    for (const _ of ["a", "b"]) leaseOf(await session.ask(acquireOf("db")));
    const id = await session.waits(acquireOf("db"));
    expect(await session.ask({ case: "cancel", value: { commandId: id } })).toMatchObject({ value: { code: 0 } });
    expect((await session.lastAnswer(id)).answer).toMatchObject({ case: "failed", value: { code: Code.Canceled } });
    const { waiters } = await server.grpc().call(LimiterService.method.listWaiters, { limiter: "db" });
    expect(waiters).toEqual([]);
    expect(await session.ask({ case: "cancel", value: { commandId: id } })).toMatchObject({ value: { code: 0 } });
  });

  it("takes up again all that it held, once, and gives its waiters their places", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    const { credential } = await session.open();
    const leases = [leaseOf(await session.ask(acquireOf("db"))), leaseOf(await session.ask(acquireOf("db")))];
    await session.waits(acquireOf("db", { requestId: REQUEST_ID }));
    const other = openSession(server.address);
    await other.open();
    const behind = await other.waits(acquireOf("db"));
    session.lose();
    await session.ended;
    const again = openSession(server.address);
    const opened = await again.open({ resume: credential });
    expect(opened).toMatchObject({ resumed: true, leaseIds: leases });
    const first = await again.waits(acquireOf("db", { requestId: REQUEST_ID }));
    await again.ask(releaseOf(leases[0] as string));
    leaseOf((await again.lastAnswer(first)).answer);
    expect(other.answers().filter(({ id, answer }) => id === behind && answer.case === "granted")).toEqual([]);

    const newest = openSession(server.address);
    expect((await newest.open({ resume: credential })).leaseIds).toHaveLength(2);
    expect(await again.ended).toMatchObject({ code: Code.Aborted, reason: "SESSION_DISPLACED" });
    expect(await attachments(server)).toEqual(["attached", "attached"]);
  });

  it("cannot be taken up again where nothing is left of it, or by a wrong secret", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    const { credential } = await session.open();
    leaseOf(await session.ask(acquireOf("db")));
    const thief = openSession(server.address);
    thief.write({ open: { resume: { sessionId: credential?.sessionId ?? "", secret: "wrong" } } });
    expect(await thief.ended).toMatchObject({ code: Code.NotFound, reason: "SESSION_NOT_FOUND" });
    const empty = openSession(server.address);
    const nothing = await empty.open();
    empty.call.end();
    await empty.ended;
    const late = openSession(server.address);
    late.write({ open: { resume: nothing.credential } });
    expect(await late.ended).toMatchObject({ reason: "SESSION_NOT_FOUND" });
  });

  it.each([
    { limiter: "db", keepOnCancel: false, becomes: [] },
    { limiter: "db", keepOnCancel: true, becomes: ["orphaned"] },
    { limiter: "distrusting", keepOnCancel: false, becomes: ["orphaned"] },
  ])("that is cancelled leaves leases of $limiter $becomes, keep_on_cancel $keepOnCancel", async (row) => {
    const { limiter, keepOnCancel, becomes } = row;
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    await session.open({ keepOnCancel });
    leaseOf(await session.ask(acquireOf(limiter)));
    session.call.cancel();
    await session.ended;
    await expect.poll(() => attachments(server, limiter)).toEqual(becomes);
  });

  it("hears that a lease is asked back, and how leases have ended that it has not released", async () => {
    await using server = await startTestServer(LIMITERS);
    const session = openSession(server.address);
    await session.open();
    const [revoked, forced] = [
      leaseOf(await session.ask(acquireOf("db"))),
      leaseOf(await session.ask(acquireOf("db"))),
    ];
    const revoke = (leaseId: string, force: boolean) =>
      server.grpc().call(LimiterService.method.revokeLease, { leaseId, force, message: "maintenance" });
    await revoke(revoked, false);
    await revoke(forced, true);
    const said = await session.find(() => (session.notices().length === 2 ? session.notices() : undefined));
    expect(said).toMatchObject([
      { subject: { value: revoked }, notice: { case: "revoking", value: { message: "maintenance" } } },
      { subject: { value: forced }, notice: { case: "ended", value: { code: Code.Aborted } } },
    ]);
    expect(reasonOf(said[1]?.notice.value as Status)).toBe("LEASE_REVOKED");
  });

  it("hears anew, when it is taken up again, that a lease is asked back", async () => {
    await using server = await startTestServer(LIMITERS);
    const first = openSession(server.address);
    const { credential: resume } = await first.open({ keepOnCancel: true });
    const leaseId = leaseOf(await first.ask(acquireOf("db")));
    first.call.cancel();
    await first.ended;
    await server.grpc().call(LimiterService.method.revokeLease, { leaseId });
    const second = openSession(server.address);
    await second.open({ resume, keepOnCancel: true });
    const said = await second.find(() => (second.notices().length > 0 ? second.notices() : undefined));
    expect(said).toMatchObject([{ subject: { value: leaseId }, notice: { case: "revoking" } }]);
  });

  it("needs no secret for its own leases, and one for those of others", async () => {
    await using server = await startTestServer(LIMITERS);
    const client = server.grpc();
    const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter: "db" }] });
    if (result.case !== "granted") throw new Error("not granted");
    const leaseId = result.value.lease?.id ?? "";
    const session = openSession(server.address);
    await session.open();
    const release = (secret: string) => session.ask({ case: "release", value: { leaseId, secret } });
    expect(reasonOf((await release("")).value as Status)).toBe("LEASE_NOT_FOUND");
    expect(reasonOf((await release("wrong")).value as Status)).toBe("LEASE_SECRET_MISMATCH");
    expect(await release(result.value.secret)).toMatchObject({ case: "released" });
  });

  it("says something when it is silent", async () => {
    await using server = await startTestServer(`${LIMITERS}liveness: { heartbeat: 250ms }`);
    const session = openSession(server.address);
    await session.open();
    await session.find(() => (session.responses.length >= 3 ? true : undefined));
    expect(session.responses.slice(1).flatMap(({ answers, notices }) => [...answers, ...notices])).toEqual([]);
  });

  it("is told of a drain: waiters are refused, holders may finish", async () => {
    await using server = await startTestServer(`${LIMITERS}drain: { timeout: 10s }`);
    const session = openSession(server.address);
    await session.open();
    const leases = [leaseOf(await session.ask(acquireOf("db"))), leaseOf(await session.ask(acquireOf("db")))];
    const waiter = await session.waits(acquireOf("db"));
    const stopped = server.stop();
    await session.find(() => session.responses.find(({ draining }) => draining));
    expect(reasonOf((await session.lastAnswer(waiter)).answer.value as Status)).toBe("DRAINING");
    expect(reasonOf((await session.ask(tryAcquireOf("rate"))).value as Status)).toBe("DRAINING");
    for (const lease of leases) expect(await session.ask(releaseOf(lease))).toMatchObject({ case: "released" });
    await stopped;
  });
});

describe("a session of a worker", () => {
  it("pulls, renews, finishes and takes up again cards", async () => {
    await using server = await startTestServer(`${LIMITERS}${BOARD}`);
    const client = server.grpc();
    for (const id of ["one", "two"]) await client.call(BoardService.method.addCard, { board: "b", card: { id } });
    const session = openSession(server.address);
    const { credential } = await session.open();
    const place = { board: "b", stage: "doing", worker: "w" };
    const one = await session.ask({ case: "pull", value: place });
    expect(one).toMatchObject({ case: "pulled", value: { card: { id: "one" } } });
    const two = await session.ask({ case: "tryPull", value: { ...place, ttl: { seconds: 1n } } });
    expect(two).toMatchObject({ case: "pulled", value: { card: { id: "two" } } });
    expect(await session.ask({ case: "tryPull", value: place })).toMatchObject({ case: "none" });
    await session.waits({ case: "pull", value: place });
    expect(await session.ask({ case: "renew", value: {} })).toMatchObject({ value: { validFor: { nanos: 5e8 } } });
    session.lose();
    await session.ended;
    const again = openSession(server.address);
    const { cards } = await again.open({ resume: credential });
    expect(cards.map(({ cardId }) => cardId)).toEqual(["one", "two"]);
    const [card] = cards;
    const token = { board: "b", cardId: "one", fencingToken: card?.fencingToken ?? 0n };
    expect(await again.ask({ case: "finish", value: token })).toMatchObject({ case: "finished" });
    await client.call(BoardService.method.blockCard, { board: "b", cardId: "two", reason: "broken" });
    const notice = await again.find(() => again.notices()[0]);
    expect(notice).toMatchObject({
      subject: { case: "card", value: { cardId: "two" } },
      notice: { case: "ended", value: { code: Code.Aborted } },
    });
    expect(again.notices()).toHaveLength(1);
  });
});

describe.each(["Connect", "gRPC"])("on the web port by %s", (protocol) => {
  it("a session is the same", async () => {
    await using server = await startTestServer(LIMITERS);
    const baseUrl = server.url;
    const transport =
      protocol === "gRPC" ? createGrpcTransport({ baseUrl }) : createConnectTransport({ baseUrl, httpVersion: "2" });
    const client = createClient(SessionService, transport);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    async function* requests() {
      yield create(SessionRequestSchema, { open: {}, commands: [{ id: 1n, command: acquireOf("db") }] });
      yield create(SessionRequestSchema, { commands: [{ id: 2n, command: tryAcquireOf("rate") }] });
      await done;
    }
    const said: string[] = [];
    for await (const { opened, answers } of client.session(requests())) {
      if (opened) said.push("opened");
      said.push(...answers.map(({ id, answer }) => `${id} ${answer.case}`));
      if (said.length === 3) finish();
    }
    expect(said).toEqual(["opened", "1 granted", "2 granted"]);
    expect(await attachments(server)).toEqual([]);
  });
});
