/** `grpc.health.v1`: what load balancers and Kubernetes ask. */

import { create } from "@bufbuild/protobuf";
import {
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  Health as HealthService,
} from "../gen/grpc/health/v1/health_pb.ts";
import { Code, WireError } from "../wire/error-wire.ts";
import { createRpcService, type RpcService, type ServerStream } from "./rpc.ts";

export interface Health {
  readonly service: RpcService;
  /** Whether the server serves. Until this is called it does not. */
  set(serving: boolean): void;
}

/** The server as a whole. */
const WHOLE = "";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;

/**
 * All the named services are as healthy as the server. The health service itself serves as long as it answers, whatever the server
 * does: a supervisor asks for it before it kills, since a server that drains, or whose disk is full, still renews leases.
 */
export function createHealth(serviceNames: readonly string[]): Health {
  const names = new Set([WHOLE, ...serviceNames]);
  const watchers = new Set<() => void>();
  let status: HealthCheckResponse_ServingStatus = NOT_SERVING;

  function statusOf(service: string): HealthCheckResponse_ServingStatus {
    if (service === HealthService.typeName) return SERVING;
    return names.has(service) ? status : SERVICE_UNKNOWN;
  }

  const service = createRpcService(
    HealthService,
    {
      check({ service }) {
        const status = statusOf(service);
        if (status === SERVICE_UNKNOWN) {
          throw new WireError(
            Code.NotFound,
            `no service is named ${JSON.stringify(service)}; List says which there are`,
          );
        }
        return create(HealthCheckResponseSchema, { status });
      },
      list() {
        const statuses = Object.fromEntries(
          [...names, HealthService.typeName].map((name) => [name, { status: statusOf(name) }]),
        );
        return create(HealthListResponseSchema, { statuses });
      },
      watch({ service }, stream) {
        const tell = teller(stream, () => statusOf(service));
        watchers.add(tell);
        stream.onEnd(() => watchers.delete(tell));
        tell();
      },
    },
    { aside: true },
  );

  return {
    service,
    set(serving) {
      status = serving ? SERVING : NOT_SERVING;
      for (const tell of watchers) tell();
    },
  };
}

/** Says how things stand when that is news, and to a reader that is behind only how they stand at last. */
function teller(
  stream: ServerStream<HealthCheckResponse>,
  current: () => HealthCheckResponse_ServingStatus,
): () => void {
  let sent: HealthCheckResponse_ServingStatus | undefined;
  let writable = true;
  const tell = () => {
    const status = current();
    if (!writable || status === sent) return;
    sent = status;
    writable = stream.send(create(HealthCheckResponseSchema, { status }));
  };
  stream.onWritable(() => {
    writable = true;
    tell();
  });
  return tell;
}
