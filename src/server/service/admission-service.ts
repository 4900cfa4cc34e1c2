/** AdmissionService: how work is admitted. Each RPC checks, commands, and says what came of it. */

import { create } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type { AnswerTo, Engine } from "../engine/engine.ts";
import { AdmissionService, RenewResponseSchema } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Ids } from "../ids.ts";
import type { Renew } from "../machine/limiter/command.ts";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { draining, type FieldViolation, invalidRequest, refusalError } from "../wire/error-wire.ts";
import { createAcquireCalls } from "./acquire-call.ts";
import { askAtOnce, askFor } from "./ask.ts";
import { byName, type CommandCaller, type CommandCallerOf } from "./command-caller.ts";
import { failureOf } from "./failure.ts";
import { createHeartbeats } from "./heartbeats.ts";
import type { OpenCall } from "./held-call.ts";
import { createRpcService, type Handlers, type RpcService, type StreamEnd } from "./rpc.ts";
import { createVerbs } from "./verbs.ts";

/** Checked here, since a rule between fields would be interpreted (CEL) for each Release: 1.5 µs of the 2.4 µs of its checks. */
const NO_SECRET: FieldViolation = {
  field: "secret",
  description: "must be given with lease_id",
  reason: "release.secret",
};

export interface AdmissionServiceOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly engine: Engine;
  /** µs after which a silent Acquire stream says something; asked for anew each time. */
  readonly heartbeat: () => number;
  /** Unset: every caller has the engine's own bounds. */
  readonly commandCaller?: CommandCallerOf;
}

export interface AdmissionRpcs {
  readonly service: RpcService;
  /**
   * Takes nothing new from here on, and tells every stream so. `endTime` (ms since 1970): until when leases may finish.
   * `waiterLeaves`: "lost" where the next start knows the places of waiters, which then come back to them.
   */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

export function createAdmissionService(options: AdmissionServiceOptions): AdmissionRpcs {
  const { clock, ids, engine, heartbeat, commandCaller = byName } = options;
  const openCalls = new Set<OpenCall>();
  const verbs = createVerbs(ids);
  const openAcquire = createAcquireCalls({ verbs, engine, heartbeats: createHeartbeats(clock, heartbeat) });
  let stopping = false;

  async function wrongSecret(leaseId: string, { caller }: CommandCaller): Promise<Refusal> {
    return refusal((await engine.knowsLease(leaseId, caller)) ? "LEASE_SECRET_MISMATCH" : "LEASE_NOT_FOUND");
  }

  async function refuseSecret(leaseId: string, by: CommandCaller): Promise<never> {
    throw refusalError(await wrongSecret(leaseId, by));
  }

  const handlers: Handlers<typeof AdmissionService> = {
    acquire(request, stream) {
      const by = commandCaller(stream.caller);
      const question = verbs.acquire.toCommand(request, stream.timeout, by);
      const options = { stream, question, openCalls };
      if (question.kind === "acquire") {
        if (stopping) throw draining();
        openAcquire(options);
      } else if (ids.isSecretOf(question.leaseId, request.resume?.secret ?? "")) {
        // A lease that lives may be taken up again by its holder to the end.
        openAcquire(options);
      } else {
        wrongSecret(question.leaseId, by).then(
          (no) => stream.fail(refusalError(no)),
          (error) => stream.fail(failureOf(error)),
        );
      }
    },

    tryAcquire(request, call) {
      if (stopping) throw draining();
      const command = verbs.tryAcquire.toCommand(request, undefined, commandCaller(call.caller));
      return askFor(engine, command, call, verbs.tryAcquire.toMessage);
    },

    async renew({ leases }, call) {
      const by = commandCaller(call.caller);
      const results = leases.map(({ leaseId, secret }) => {
        const toMessage = (answer: AnswerTo<Renew>) => verbs.renew.toMessage(leaseId, answer);
        if (!ids.isSecretOf(leaseId, secret)) return wrongSecret(leaseId, by).then(toMessage);
        return askAtOnce(engine, verbs.renew.toCommand(leaseId, by), toMessage);
      });
      return create(RenewResponseSchema, { results: await Promise.all(results) });
    },

    release(request, call) {
      const by = commandCaller(call.caller);
      const { leaseId, secret, requestId } = request;
      if (requestId === "" && secret === "") throw invalidRequest([NO_SECRET]);
      if (requestId === "" && !ids.isSecretOf(leaseId, secret)) return refuseSecret(leaseId, by);
      return askAtOnce(engine, verbs.release.toCommand(request, undefined, by), verbs.release.toMessage);
    },
  };
  const { renew, release } = AdmissionService.method;
  const service = createRpcService(AdmissionService, handlers, { givesBack: [renew, release] });

  return {
    service,
    drain(endTime, waiterLeaves) {
      stopping = true;
      for (const call of [...openCalls]) call.drain(endTime, waiterLeaves);
    },
  };
}
