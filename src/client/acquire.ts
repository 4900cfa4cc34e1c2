/** Waiting for a lease: asked again, under the same request id, until there is an answer. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ask } from "./ask.ts";
import type { AcquireOptions } from "./client.ts";
import type { Clock } from "./clock.ts";
import { AdmissionError } from "./errors.ts";
import type { ClaimSchema } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { Admission } from "./holdings.ts";
import { linkSignals } from "./link.ts";
import type { AskPorts } from "./ports.ts";
import { sleep } from "./retry.ts";
import { msToDuration } from "./time-wire.ts";

/** Reasons that say of a request id that what it stood for is over: its grant was never heard of. */
const LOST_GRANTS: ReadonlySet<string> = new Set(["LEASE_ENDED", "LEASE_EXPIRED"]);

export async function acquire(
  ports: AskPorts,
  claims: MessageInitShape<typeof ClaimSchema>[],
  options: AcquireOptions,
): Promise<Admission> {
  const { clock, random, retries } = ports;
  const { holder, ttl } = options;
  const wait = createWait(clock, options.maxWait);
  const request = { claims, holder, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  let requestId = options.requestId ?? random.requestId();
  let attempts = 0;
  /** Whether this request id has been sent before. */
  let isRetry = false;
  const onHeard = () => {
    attempts = 0;
  };
  try {
    for (;;) {
      signal.throwIfAborted();
      attempts += 1;
      try {
        const asked = { ...request, requestId, maxWait: wait.left() };
        return await ask(ports, { request: asked, signal, options, onHeard });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const isLostGrant: boolean = isRetry && error instanceof AdmissionError && LOST_GRANTS.has(error.reason);
        const delay = retries.delayAfter(error, Math.max(1, attempts));
        isRetry = !isLostGrant;
        if (isLostGrant && options.requestId === undefined) requestId = random.requestId();
        else if (delay === undefined || wait.isOverIn(delay)) throw error;
        else await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

/** What is left of `maxWait` (ms) for each of several calls. */
function createWait(clock: Clock, maxWait = Number.POSITIVE_INFINITY) {
  if (maxWait === Number.POSITIVE_INFINITY) return { left: () => undefined, isOverIn: () => false };
  msToDuration(maxWait, "maxWait");
  const until = clock.now().monotonic + maxWait;
  const left = () => Math.max(0, Math.ceil(until - clock.now().monotonic));
  return { left: () => msToDuration(left(), "maxWait"), isOverIn: (delay: number) => left() < delay };
}
