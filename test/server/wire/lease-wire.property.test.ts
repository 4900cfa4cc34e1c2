/** Claims, leases, waiters and refusals, over the wire from the server's words to the client's: nothing is lost or made up. */

import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { claimsToWire } from "../../../src/client/wire/claim.ts";
import {
  grantFromWire,
  leaseInfoFromWire,
  refusalFromWire,
  waiterInfoFromWire,
} from "../../../src/client/wire/lease.ts";
import {
  AcquireRequestSchema,
  GrantedSchema,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { LeaseSchema } from "../../../src/server/gen/ggen/backpressure/v1/lease_pb.ts";
import { WaiterSchema } from "../../../src/server/gen/ggen/backpressure/v1/limiter_pb.ts";
import { RefusalSchema, Reason as WireReason } from "../../../src/server/gen/ggen/backpressure/v1/reason_pb.ts";
import type { Claim } from "../../../src/server/machine/limiter/claim.ts";
import type { Lease } from "../../../src/server/machine/limiter/lease.ts";
import {
  type HeldClaimView,
  type LeaseView,
  validFor,
  type WaiterView,
} from "../../../src/server/machine/limiter/view.ts";
import type { Refusal } from "../../../src/server/machine/reasons.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import {
  claimsFromWire,
  grantedToWire,
  leaseToWire,
  refusalToWire,
  waiterToWire,
} from "../../../src/server/wire/lease-wire.ts";

const EPOCH = 1_700_000_000_000;

/** As it comes out at the other end. */
function sent<D extends DescMessage>(schema: D, message: MessageShape<D>): MessageShape<D> {
  return fromBinary(schema, toBinary(schema, message));
}

const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((each) => each.toWellFormed());
/** µs in whole ms, for the client counts in those. */
const span = fc.oneof(
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 86_400_000 }).map((ms) => ms * 1000) },
);
/** ms since 1970. */
const instant = fc.integer({ min: EPOCH, max: 2 * EPOCH });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const count = fc.integer({ min: 0, max: 1_000_000 });

const claim: fc.Arbitrary<Claim> = fc
  .record({ limiter: text, key: text, permits: count, tokens: count, slots: fc.boolean() })
  .map((made) => ({ ...made, tokens: made.permits === 0 ? Math.max(1, made.tokens) : made.tokens }))
  .map((made) => ({ ...made, slots: made.slots && made.permits <= 1_024 }));

const caller = fc.oneof(fc.constant("anonymous"), text);
const callerInfo = (name: string) => (name === "anonymous" ? "" : name);

const heldClaim = fc.record({
  limiter: text,
  key: text,
  permits: count,
  tokens: count,
  fencingToken: fc.maxSafeNat(),
  slots: fc.array(fc.nat({ max: 2 ** 32 - 1 }), { maxLength: 5 }),
});

const leaseView: fc.Arbitrary<LeaseView> = fc.record({
  id: text,
  holder: text,
  caller,
  claims: fc.array(heldClaim, { maxLength: 8 }),
  grantedAt: instant,
  ttl: span,
  attachment: fc.constantFrom("attached", "orphaned", "detached"),
  expiresAt: maybe(instant),
  revoking: fc.boolean(),
});

/** Those that the machine says, by the names that they travel under. */
const MACHINE_REASONS = (Object.keys(WireReason) as (keyof typeof WireReason)[]).filter(
  (name) =>
    name !== "UNSPECIFIED" &&
    name !== "INVALID_REQUEST" &&
    name !== "DRAINING" &&
    name !== "NOT_KEPT" &&
    name !== "NOT_ALLOWED" &&
    name !== "FOREIGN_PAGE" &&
    name !== "NOT_AUDITED" &&
    name !== "TOO_MANY_STREAMS" &&
    name !== "TOO_MANY_COMMANDS" &&
    name !== "HTTP_VERSION_TOO_OLD" &&
    name !== "UNAUTHENTICATED" &&
    name !== "CREDENTIAL_EXPIRED",
);

const claimShown = (held: HeldClaimView) => ({ ...held, fencingToken: BigInt(held.fencingToken) });
const dateOf = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms));

describe("over the wire", () => {
  it("claims that the client asks for are those that the server decides on", () => {
    fc.assert(
      fc.property(fc.uniqueArray(claim, { minLength: 1, maxLength: 8, selector: nameOf }), (claims) => {
        const request = create(AcquireRequestSchema, { claims: claimsToWire(claims, {}) });
        expect(claimsFromWire(sent(AcquireRequestSchema, request).claims)).toEqual(claims);
      }),
    );
  });

  it("a claim that says no number asks for one, of permits and of tokens each", () => {
    fc.assert(
      fc.property(claim, fc.boolean(), fc.boolean(), (whole, ofPermits, ofTokens) => {
        const permits = ofPermits ? undefined : Math.max(1, whole.permits);
        const tokens = ofTokens ? undefined : whole.tokens;
        const request = create(AcquireRequestSchema, { claims: claimsToWire([{ ...whole, permits, tokens }], {}) });
        const [heard] = claimsFromWire(sent(AcquireRequestSchema, request).claims);
        expect(heard).toEqual({ ...whole, permits: permits ?? 1, tokens: tokens ?? 1 });
      }),
    );
  });

  it("a claim that is made again is the same list, whatever others of its limiter differ in", () => {
    const asked = { limiter: "db", key: "", permits: 1, tokens: 2, slots: false };
    const others = [{ key: "k" }, { permits: 2 }, { tokens: 1 }, { slots: true }, { limiter: "api" }];
    const heard = (one: Claim) =>
      claimsFromWire(create(AcquireRequestSchema, { claims: claimsToWire([one], {}) }).claims);
    expect(heard({ ...asked })).toBe(heard({ ...asked }));
    for (const other of others) {
      heard(asked);
      expect(heard({ ...asked, ...other })).toEqual([{ ...asked, ...other }]);
      expect(heard(asked)).toEqual([asked]);
    }
  });

  it("two claims on one limiter and key are refused, at the second", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(claim, { minLength: 1, maxLength: 7, selector: nameOf }),
        fc.nat(),
        (claims, which) => {
          const [first] = claims.slice(which % claims.length);
          const request = create(AcquireRequestSchema, { claims: claimsToWire([...claims, first as Claim], {}) });
          let refused: unknown;
          try {
            claimsFromWire(request.claims);
          } catch (error) {
            refused = error;
          }
          expect(refused).toBeInstanceOf(WireError);
          expect((refused as WireError).details[1]?.value).toMatchObject({
            fieldViolations: [{ field: `claims[${claims.length}]`, reason: "claim.unique" }],
          });
        },
      ),
    );
  });

  it("a lease is shown as it stands", () => {
    fc.assert(
      fc.property(leaseView, (view) => {
        expect(leaseInfoFromWire(sent(LeaseSchema, leaseToWire(view)))).toEqual({
          id: view.id,
          holder: view.holder,
          caller: callerInfo(view.caller),
          claims: view.claims.map(claimShown),
          grantTime: dateOf(view.grantedAt),
          ttlMs: view.ttl / 1000,
          state: view.attachment,
          expireTime: dateOf(view.expiresAt),
          revoking: view.revoking,
        });
      }),
    );
  });

  it("a grant tells its holder no more of its time than half of what the server waits, and a secret only where it holds", () => {
    const secrets = { secretOf: (id: string) => `secret of ${id}` };
    fc.assert(
      fc.property(leaseView, fc.boolean(), maybe(span), (view, held, dueIn) => {
        const lease = {
          ...view,
          heapIndex: dueIn === undefined ? -1 : 0,
          dueAt: dueIn ?? 0,
          revokedAt: dueIn === undefined ? undefined : 0,
        } as unknown as Lease;
        const grant = { kind: "granted", lease: view, held, resumed: false } as const;
        const granted = grantedToWire({ ...grant, validFor: held ? validFor(lease, 0) : undefined }, secrets);
        const { id, secret, ttl, ...heard } = grantFromWire(sent(GrantedSchema, granted));
        expect([id, secret, ttl]).toEqual([view.id, held ? `secret of ${view.id}` : "", view.ttl / 1000]);
        if (!held || view.ttl === 0) expect(heard.validFor).toBeUndefined();
        else {
          const half = Math.floor(view.ttl / 2);
          // As long before the end as without an operator.
          const left = dueIn === undefined ? half : Math.max(0, dueIn - (view.ttl - half));
          expect(heard.validFor).toBe(Math.min(half, left) / 1000);
        }
      }),
    );
  });

  it("a waiter is shown as it stands", () => {
    const waiter: fc.Arbitrary<WaiterView> = fc.record({
      id: text,
      claims: fc.array(claim, { maxLength: 8 }),
      holder: text,
      caller,
      waitersAhead: fc.nat(),
      estimatedWait: maybe(span),
      missing: fc.constant("WAITERS_AHEAD"),
      obstacles: fc.array(
        fc.record({
          limiter: text,
          key: text,
          reason: fc.constantFrom("WAITERS_AHEAD", "CONCURRENCY_EXHAUSTED", "RATE_EXHAUSTED", "PAUSED", "LEARNING"),
          waitersAhead: fc.nat(),
        }),
        { maxLength: 8 },
      ),
      away: fc.boolean(),
      arrivedAt: instant,
      deadline: maybe(instant),
    });
    fc.assert(
      fc.property(waiter, (view) => {
        expect(waiterInfoFromWire(sent(WaiterSchema, waiterToWire(view)))).toEqual({
          id: view.id,
          claims: view.claims,
          holder: view.holder,
          caller: callerInfo(view.caller),
          waitersAhead: view.waitersAhead,
          estimatedWaitMs: view.estimatedWait && view.estimatedWait / 1000,
          arriveTime: dateOf(view.arrivedAt),
          deadline: dateOf(view.deadline),
          obstacles: view.obstacles,
          away: view.away,
        });
      }),
    );
  });

  it("a refusal keeps its reason, its limiter and when to retry, and has a text for people", () => {
    const refusal: fc.Arbitrary<Refusal> = fc.record({
      kind: fc.constant("refused"),
      reason: fc.constantFrom(...MACHINE_REASONS),
      limiter: text,
      key: text,
      claim: fc.integer({ min: -1, max: 7 }),
      retryAfter: maybe(span),
      waitersAhead: fc.nat(),
      at: maybe(fc.record({ board: text, stage: text, card: text })),
      numbers: fc.record({ permits: fc.nat(), maxConcurrent: fc.nat(), waited: fc.nat() }, { requiredKeys: [] }),
    });
    fc.assert(
      fc.property(refusal, (said) => {
        const heard = refusalFromWire(sent(RefusalSchema, refusalToWire(said)));
        const { reason, limiter, key, retryAfter, waitersAhead } = said;
        expect(heard).toMatchObject({
          reason,
          limiter,
          key,
          waitersAhead,
          retryAfterMs: retryAfter && retryAfter / 1000,
        });
        expect(heard.message).not.toBe("");
      }),
      { numRuns: 500 },
    );
  });
});

function nameOf({ limiter, key }: Claim): string {
  return JSON.stringify([limiter, key]);
}
