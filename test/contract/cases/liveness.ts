/** Holders that show themselves, vanish, come back, and are asked to give back. */

import { expect } from "vitest";
import { claimOn, createScript, SECOND } from "../script.ts";
import type { Case } from "../stage.ts";

const TTL = { ttl: 2 * SECOND } as const;

export const LIVENESS: readonly Case[] = [
  {
    name: "ends a lease without a stream after its ttl, and grants its permit",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      expect(await script.tryAcquire("a", [claimOn()], TTL)).toMatchObject({ validFor: SECOND });
      await script.acquire("b");
      script.fresh();
      await script.pass(2 * SECOND - 1);
      expect(script.fresh()).toEqual([]);
      await script.pass(1);
      expect(script.fresh()).toEqual(["b: granted"]);
      expect(await script.renew("a")).toMatchObject({ kind: "ended", end: "expired", already: true });
    },
  },
  {
    name: "lets a renewal begin the ttl anew",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.tryAcquire("a", [claimOn()], TTL);
      await script.pass(SECOND);
      expect(await script.renew("a")).toMatchObject({ kind: "renewed", validFor: SECOND, revoking: false });
      await script.pass(2 * SECOND - 1);
      expect(await script.held()).toEqual(["a"]);
      await script.pass(1);
      expect(await script.held()).toEqual([]);
    },
  },
  {
    name: "frees at once what a cancelled stream held, and keeps for its ttl what a lost one did",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      for (const id of ["a", "b", "c", "d"]) await script.acquire(id, [claimOn()], TTL);
      script.fresh();
      await script.leave("a", "cancelled");
      await script.calm();
      expect(script.fresh()).toEqual(["leave a: done", "c: granted"]);
      await script.leave("b", "lost");
      await script.calm();
      expect(script.fresh()).toEqual(["leave b: done"]);
      await script.pass(2 * SECOND);
      expect(script.fresh()).toEqual(["d: granted"]);
    },
  },
  {
    name: "lets a holder resume its lease, and says to the stream before that it has lost it",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 1 });
      await script.acquire("a", [claimOn()], TTL);
      script.fresh();
      expect(await script.resume("a", "second")).toMatchObject({ resumed: true, lease: { id: "a" } });
      await script.calm();
      expect(script.fresh()).toEqual(["resume a: granted again", "a: LEASE_DISPLACED"]);
      await script.leave("a", "lost", -1);
      await script.pass(3 * SECOND);
      expect(await script.held()).toEqual(["a"]);
      await script.release("a");
      expect(await script.resume("a", "third")).toMatchObject({ reason: "LEASE_ENDED" });
      expect(await script.resume("none")).toMatchObject({ reason: "LEASE_NOT_FOUND" });
    },
  },
  {
    name: "asks a holder to give back, and ends its lease a ttl later, or at once by force",
    async play(stage) {
      const script = createScript(stage);
      await script.create({ maxConcurrent: 2 });
      for (const id of ["a", "b"]) await script.acquire(id, [claimOn()], TTL);
      script.fresh();
      const revoke = (leaseId: string, force: boolean) =>
        script.ask(`revoke ${leaseId}`, { kind: "revoke", leaseId, force, message: "maintenance" });
      expect(await revoke("a", false)).toMatchObject({ lease: { id: "a", revoking: true }, message: "maintenance" });
      await revoke("b", true);
      await script.calm();
      expect(script.fresh()).toEqual(["revoke a: revoking", "a: revoking", "revoke b: revoked", "b: revoked"]);
      await script.pass(2 * SECOND);
      expect(script.fresh()).toEqual(["a: revoked"]);
    },
  },
];
