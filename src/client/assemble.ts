/** A client put together from its parts: the same for every transport. */

import type { Transport } from "@connectrpc/connect";
import type { Claim, ClaimOptions } from "./api/claim.ts";
import type {
  AcquireOptions,
  Client,
  ClientOptions,
  LimitOptions,
  TryAcquireOptions,
  WithLeaseOptions,
} from "./api/client.ts";
import { ClientClosedError } from "./api/errors.ts";
import type { GuardedWork, Lease } from "./api/lease.ts";
import type { Refusal } from "./api/refusal.ts";
import { callSite } from "./hold/call-site.ts";
import { createLeakGuard } from "./hold/leak-guard.ts";
import { createRenewer } from "./hold/renewer.ts";
import { acquire } from "./lease/acquire.ts";
import { createController } from "./lease/controller.ts";
import { createLease, createSpentLease } from "./lease/handle.ts";
import type { LeasePorts } from "./lease/held-leases.ts";
import { type Admission, createHeldLeases } from "./lease/held-leases.ts";
import { createLimit, limitFunction } from "./lease/limit.ts";
import { type EndRequest, lastRelease, sayReleased } from "./lease/release.ts";
import { type Credential, renew } from "./lease/renew.ts";
import { tryAcquire } from "./lease/try-acquire.ts";
import { workUnder } from "./lease/with-lease.ts";
import { acquireWithoutServer, tryAcquireWithoutServer } from "./lease/without-server.ts";
import type { Parts } from "./resources/parts.ts";
import { createAvailability } from "./rpc/availability.ts";
import { ANSWER_WITHIN, createCalls } from "./rpc/calls.ts";
import type { Clock } from "./rpc/clock.ts";
import { withHeaders } from "./rpc/headers.ts";
import { notify } from "./rpc/notify.ts";
import type { AskPorts } from "./rpc/ports.ts";
import type { Random } from "./rpc/random.ts";
import { createBackoff, createRetries } from "./rpc/retry.ts";
import { createStreams } from "./rpc/stream-budget.ts";
import { createVisibility } from "./rpc/visibility.ts";
import { sayWithdrawn } from "./rpc/withdrawal.ts";
import { within } from "./rpc/within.ts";
import type { Platform } from "./transport/platform.ts";
import { claimsToWire, type Wanted } from "./wire/claim.ts";

export interface ClientParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
  readonly parts: Parts;
  readonly transport: Transport;
  /** Where the server is, for error messages. */
  readonly address: string;
  /** Closes what lies under the transport. */
  readonly disconnect: () => void;
}

/** ms from an outage's first failure to the first probe, and the longest between two. */
const FIRST_PROBE = 500;
const LONGEST_PROBE = 5000;
/** ms for a server that is known to be away to confirm an end. */
const AWAY_WITHIN = 200;

export function assembleClient(parts: ClientParts, options: ClientOptions): Client {
  const { clock, random, transport, address, disconnect } = parts;
  const { warn, page, adviceOf } = parts.platform;
  const { answerWithin = ANSWER_WITHIN } = options;
  requireAnswerWithin(answerWithin);
  const probeDelay = createBackoff(random, { initialDelay: FIRST_PROBE, maxDelay: LONGEST_PROBE });
  const availability = createAvailability({
    now: () => clock.now().monotonic,
    probeDelay,
    onNews: (news) => notify(options.onEvent, news),
  });
  const { headers } = options;
  const calls = createCalls({
    transport: headers ? withHeaders(transport, headers) : transport,
    address,
    clock,
    answerWithin,
    availability,
    adviceOf,
  });
  const confirmWithin = () => (availability.isAway ? Math.min(AWAY_WITHIN, answerWithin) : answerWithin);
  /** Aborts when the connections are closed. */
  const disconnected = new AbortController();
  const retries = createRetries(random, options.retry);
  const streams = createStreams(options.maxStreams, parts.platform.places);
  const renewer = createRenewer({
    clock,
    random,
    renew: (leases: readonly Credential[], renewal) => renew(calls, leases, renewal),
    onFailed: ({ leaseId }, remainingMs, error) =>
      notify(options.onEvent, { kind: "renewal-failed", leaseId, remainingMs, error }),
    // In a page, streams may have taken all connections that the browser allows.
    onSlow: page && (() => leases.makeWay()),
  });
  const say = { calls, clock, retries, closed: disconnected.signal };
  const leases = createHeldLeases({
    clock,
    random,
    renewer,
    sayReleased: (request: EndRequest) => sayReleased(say, request),
    confirmWithin,
    onEvent: options.onEvent,
  });
  const guard = createLeakGuard(warn);
  const closing = new AbortController();
  const underway = new Set<Promise<unknown>>();
  const ungranted: AskPorts["ungranted"] = new Set();
  const visibility = createVisibility({
    clock,
    page,
    // Its connections close. Should the page come back, what it has asked is asked anew.
    leftError: () => calls.unavailable("the browser has left the page"),
    onHide(leaving) {
      leaving.sendLast([
        ...[...leases].map(({ credential }) => lastRelease(credential)),
        ...boards.lastWords(),
        ...[...ungranted].map((lastWord) => lastWord()),
      ]);
      leases.leavePage();
      boards.leavePage();
    },
  });
  const ports: AskPorts = {
    availability,
    calls,
    clock,
    random,
    retries,
    streams,
    visibility,
    headers,
    withdraw(requestId, how) {
      // A page that goes away meanwhile says it once more.
      const lastWord = () => how.withdrawal.lastWord(requestId);
      ungranted.add(lastWord);
      const said = sayWithdrawn(say, requestId, how);
      underway.add(said);
      void said.then(() => {
        ungranted.delete(lastWord);
        underway.delete(said);
      });
    },
    underway,
    ungranted,
    closing: closing.signal,
  };
  const leasePorts: LeasePorts = { ...ports, leases };
  const boards = parts.parts.openBoards({
    ports,
    closed: disconnected.signal,
    confirmWithin,
    onEvent: options.onEvent,
    worker: options.holder,
    guard,
  });

  const asked = <O extends TryAcquireOptions>(given: O): O => ({ ...given, holder: given.holder ?? options.holder });

  const outagePorts = { clock, random, guard, closing: closing.signal, answerWithin, onEvent: options.onEvent };
  const policyOf = (given: TryAcquireOptions) => given.onUnavailable ?? options.onUnavailable ?? "closed";

  function toLease(admission: Admission, site: string): Lease {
    return admission.kind === "held"
      ? createLease(admission.lease, guard, site)
      : createSpentLease(admission.grant, "server");
  }

  async function acquireAt(site: string, wanted: Wanted, given: AcquireOptions & ClaimOptions = {}): Promise<Lease> {
    const claims = claimsToWire(wanted, given);
    const since = clock.now();
    try {
      return toLease(await acquire(leasePorts, claims, asked(given)), site);
    } catch (error) {
      return acquireWithoutServer(outagePorts, policyOf(given), { wanted, options: asked(given), since, site, error });
    }
  }

  async function tryAcquireAt(site: string, wanted: Wanted, given: TryAcquireOptions & ClaimOptions = {}) {
    const claims = claimsToWire(wanted, given);
    const since = clock.now();
    try {
      const attempt = await tryAcquire(leasePorts, claims, asked(given));
      return attempt.kind === "refused" ? attempt.refusal : toLease(attempt, site);
    } catch (error) {
      return tryAcquireWithoutServer(outagePorts, policyOf(given), {
        wanted,
        options: asked(given),
        since,
        site,
        error,
      });
    }
  }

  async function giveBackAll(reason: unknown): Promise<void> {
    await Promise.all([leases.abandonAll(reason), boards.abandonAll(reason)]);
  }

  async function giveBackEverything(reason: unknown): Promise<void> {
    await Promise.all([giveBackAll(reason), ...ports.underway]);
    // What was under way may have brought a lease, or a card.
    await giveBackAll(reason);
  }

  async function shutDown(): Promise<void> {
    const reason = new ClientClosedError();
    closing.abort(reason);
    // What a server that is away has not heard by then comes back by its ttl.
    await within(clock, answerWithin, giveBackEverything(reason), () => {});
    visibility.stop();
    disconnect();
    disconnected.abort(reason);
  }

  let closed: Promise<void> | undefined;
  const client: Client = {
    acquire: (wanted: Wanted, given?: AcquireOptions & ClaimOptions) =>
      acquireAt(callSite(client.acquire), wanted, given),
    tryAcquire: (wanted: Wanted, given?: TryAcquireOptions & ClaimOptions): Promise<Lease | Refusal> =>
      tryAcquireAt(callSite(client.tryAcquire), wanted, given),
    async withLease<T>(
      wanted: string | readonly Claim[],
      ...rest: [GuardedWork<T>] | [WithLeaseOptions & ClaimOptions, GuardedWork<T>]
    ): Promise<T> {
      const [given, work] = rest.length === 1 ? [{}, rest[0]] : rest;
      return workUnder(await acquireAt(callSite(client.withLease), wanted, given), work, given);
    },
    limit(wanted: Wanted, ...rest: (LimitOptions | undefined | ((...args: never[]) => unknown))[]) {
      const fn = rest.find((one) => typeof one === "function");
      const { signal, outcomeOf, mostAsking, ...given }: LimitOptions =
        rest.find((one) => typeof one === "object") ?? {};
      const site = callSite(client.limit);
      const limit = createLimit({
        admit: (taken) => acquireAt(site, wanted, { ...given, signal: taken }),
        signal,
        outcomeOf,
        mostAsking,
        mostOpen: options.maxStreams,
      });
      // biome-ignore lint/suspicious/noExplicitAny: the overloads say which of the two it is.
      return (fn === undefined ? limit : limitFunction(limit, fn)) as any;
    },
    controller: (limiter, given) => createController(client, limiter, given?.key),
    limiters: parts.parts.openLimiters(ports),
    board: (name) => boards.board(name),
    boards: boards.boards,
    close: () => {
      closed ??= shutDown();
      return closed;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
  return client;
}

function requireAnswerWithin(answerWithin: number): void {
  if (answerWithin > 0 && answerWithin < Number.POSITIVE_INFINITY) return;
  throw new RangeError(`answerWithin must be a number of milliseconds above 0; it is ${answerWithin}`);
}
