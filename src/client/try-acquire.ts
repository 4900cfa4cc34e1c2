/** Asking for a lease now or not at all, again under the same request id where no answer came. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ANSWER_WITHIN } from "./calls.ts";
import type { TryAcquireOptions } from "./client.ts";
import type { TryAcquireRequestSchema } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { ClaimSchema } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { Admission } from "./holdings.ts";
import { grantFromWire, refusalFromWire } from "./lease-wire.ts";
import { linkSignals } from "./link.ts";
import type { AskPorts } from "./ports.ts";
import type { Refusal } from "./refusal.ts";
import { sleep } from "./retry.ts";
import { msToDuration } from "./time-wire.ts";

export type Attempt = Admission | { readonly kind: "refused"; readonly refusal: Refusal };

export async function tryAcquire(
  ports: AskPorts,
  claims: MessageInitShape<typeof ClaimSchema>[],
  options: TryAcquireOptions,
): Promise<Attempt> {
  const { clock, random, retries } = ports;
  const { holder, ttl, requestId = random.requestId() } = options;
  const request = { claims, holder, requestId, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  try {
    for (let attempts = 1; ; attempts += 1) {
      signal.throwIfAborted();
      try {
        return await askOnce(ports, request, signal, options);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const delay = retries.delayAfter(error, attempts);
        if (delay === undefined) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

/** An abort does not cancel the call, whose answer may be a grant: that is awaited apart, and given back. */
function askOnce(
  { calls, clock, holdings, underway }: AskPorts,
  request: MessageInitShape<typeof TryAcquireRequestSchema>,
  signal: AbortSignal,
  options: TryAcquireOptions,
): Promise<Attempt> {
  const sentAt = clock.now();

  async function answer(): Promise<Attempt> {
    const { result } = await calls.unary(() => calls.admission.tryAcquire(request, { timeoutMs: ANSWER_WITHIN }));
    switch (result.case) {
      case "granted": {
        const { onRevoking } = options;
        const grant = grantFromWire(result.value);
        const admission = holdings.admit({ grant, sentAt, stream: undefined, signal: options.signal, onRevoking });
        if (signal.aborted && admission.kind === "held") void admission.holding.abandon(signal.reason);
        return admission;
      }
      case "refused":
        return { kind: "refused", refusal: refusalFromWire(result.value) };
      default:
        throw calls.toError("it answered with neither a grant nor a refusal");
    }
  }

  return new Promise((resolve, reject) => {
    const takeBack = () => reject(signal.reason);
    signal.addEventListener("abort", takeBack);
    const answered = answer()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener("abort", takeBack);
        underway.delete(answered);
      });
    underway.add(answered);
  });
}
