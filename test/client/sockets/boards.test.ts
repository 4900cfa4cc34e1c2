import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { StageKind } from "../../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { createFixture } from "../support/client-fixture.ts";
import { connectForTest, startRealServer } from "../support/real-server.ts";

describe("boards", () => {
  it("are made as they are described, what is not said being the server's to choose", async () => {
    const { client, service } = createFixture();
    void client.boards.create({
      name: "release",
      description: "of the product",
      stages: [
        { name: "Ideas", wipLimit: 50 },
        { name: "Ready", kind: "queue", autoPull: false },
        { name: "Build", kind: "work", wipLimit: 3, limiter: "ci" },
        { name: "Done" },
      ],
      maxAttempts: 3,
      ttl: 2500,
      maxCards: 10,
      keepCompleted: 0,
      keepCompletedFor: 3_600_000,
      maxPullers: 5,
    });
    expect((await service.createBoard.next()).request.board).toMatchObject({
      name: "release",
      description: "of the product",
      stages: [
        { name: "Ideas", kind: StageKind.UNSPECIFIED, wipLimit: 50 },
        { name: "Ready", kind: StageKind.QUEUE, autoPull: false },
        { name: "Build", kind: StageKind.WORK, wipLimit: 3, limiter: "ci" },
        { name: "Done" },
      ],
      maxAttempts: 3,
      ttl: { seconds: 2n, nanos: 500_000_000 },
      maxCards: 10,
      keepCompleted: 0,
      keepCompletedFor: { seconds: 3600n },
      maxPullers: 5,
    });
    void client.boards.create({ name: "plain" });
    const { board } = (await service.createBoard.next()).request;
    expect(board).toMatchObject({ name: "plain", stages: [] });
    expect(board?.maxAttempts).toBeUndefined();
    expect(board?.keepCompleted).toBeUndefined();
  });

  it("are changed as far as is said; null goes back to the default", async () => {
    const { client, service } = createFixture();
    const changes = { maxAttempts: 3, ttl: null, stages: [{ name: "Build", renamedFrom: "InProgress" }] };
    void client.boards.update("release", changes, { etag: "4" });
    const { request } = await service.updateBoard.next();
    expect(request).toMatchObject({
      board: { name: "release", etag: "4", maxAttempts: 3, stages: [{ name: "Build", renamedFrom: "InProgress" }] },
      updateMask: { paths: ["max_attempts", "ttl", "stages"] },
    });
    expect(request.board?.ttl).toBeUndefined();
    const others = { name: "other" } as never;
    await expect(client.boards.update("release", others)).rejects.toThrow(/^name is nothing of a board/);
  });

  it("show how work flows over them", async () => {
    const { client, service } = createFixture();
    const reading = client.boards.get("release");
    (await service.getBoard.next()).answer({
      board: {
        name: "release",
        stages: [
          {
            name: "Build",
            kind: StageKind.WORK,
            wipLimit: 3,
            status: {
              cards: 3,
              waiting: 1,
              active: 1,
              sentBack: 1,
              pullers: 2,
              arrivalRate: 1.5,
              departureRate: 0.5,
              cycleTime: { count: 9n, mean: durationFromMs(1000), p85: durationFromMs(2000) },
              expectedCards: 2.5,
              oldestAge: durationFromMs(60_000),
            },
          },
        ],
        ttl: durationFromMs(10_000),
        etag: "4",
        declared: true,
        createTime: timestampFromMs(5),
        status: {
          cards: 3,
          completed: 4,
          blocked: 1,
          arrivalRate: 2,
          throughput: 3,
          leadTime: { count: 0n },
          bottleneck: "Build",
          addedCount: 7n,
          completedCount: 4n,
          completedByDay: [{ day: "2026-11-24", count: 4 }],
          sequence: 1_795_555_999_218_140n,
        },
      },
    });
    const none = { meanMs: undefined, p50Ms: undefined, p85Ms: undefined, p95Ms: undefined };
    expect(await reading).toMatchObject({
      name: "release",
      stages: [
        {
          name: "Build",
          kind: "work",
          wipLimit: 3,
          limiter: "",
          status: {
            cards: 3,
            waiting: 1,
            active: 1,
            blocked: 0,
            finished: 0,
            sentBack: 1,
            pullers: 2,
            arrivalsPerHour: 1.5,
            departuresPerHour: 0.5,
            cycleTime: { ...none, count: 9, meanMs: 1000, p85Ms: 2000 },
            expectedCards: 2.5,
            oldestAgeMs: 60_000,
          },
        },
      ],
      ttl: 10_000,
      etag: "4",
      declared: true,
      createTime: new Date(5),
      status: {
        cards: 3,
        completed: 4,
        blocked: 1,
        arrivalsPerHour: 2,
        throughputPerHour: 3,
        leadTime: { ...none, count: 0 },
        bottleneck: "Build",
        addedCount: 7,
        completedCount: 4,
        completedByDay: [{ day: "2026-11-24", count: 4 }],
        sequence: 1_795_555_999_218_140,
      },
    });
  });

  it("are kept by the real server: made, listed, changed from what was read, and deleted", async () => {
    const { address } = await startRealServer();
    const client = connectForTest(address);
    const made = await client.boards.create({ name: "release", keepCompletedFor: 60_000 });
    expect(made.stages.map(({ name, kind, wipLimit }) => [name, kind, wipLimit])).toEqual([
      ["Backlog", "queue", undefined],
      ["Ready", "queue", 5],
      ["InProgress", "work", 3],
      ["Review", "work", 2],
      ["Done", "queue", undefined],
    ]);
    expect(made).toMatchObject({ maxAttempts: 5, ttl: 30_000, keepCompletedFor: 60_000, declared: false });
    expect(await client.boards.create({ name: "release", keepCompletedFor: 60_000 })).toMatchObject({
      etag: made.etag,
    });
    await expect(client.boards.create({ name: "release" })).rejects.toMatchObject({
      reason: "BOARD_EXISTS",
      board: "release",
    });

    const stages = made.stages.map((stage) => (stage.name === "Review" ? { ...stage, wipLimit: 7 } : stage));
    const changed = await client.boards.update("release", { stages, keepCompletedFor: null }, { etag: made.etag });
    expect(changed.stages[3]).toMatchObject({ name: "Review", kind: "work", wipLimit: 7 });
    expect(changed.keepCompletedFor).toBeUndefined();
    const stale = client.boards.update("release", { maxAttempts: 2 }, { etag: made.etag });
    await expect(stale).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });

    await client.boards.create({ name: "hiring" });
    const listed: string[] = [];
    for await (const { name } of client.boards.list({ pageSize: 1 })) listed.push(name);
    expect(listed).toEqual(["hiring", "release"]);

    await client.board("release").add({ title: "one" });
    await expect(client.boards.delete("release")).rejects.toMatchObject({ reason: "BOARD_NOT_EMPTY" });
    expect(await client.boards.delete("release", { force: true })).toEqual({ deletedCards: 1 });
    await expect(client.boards.get("release")).rejects.toMatchObject({ reason: "BOARD_NOT_FOUND", board: "release" });
  });
});
