/** grpc-js as a client of the contract. */

import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { StatusSchema } from "../../../../src/server/gen/google/rpc/status_pb.ts";

const { acquire, tryAcquire } = AdmissionService.method;
const { session } = SessionService.method;

export type TryAcquireInit = MessageInitShape<typeof tryAcquire.input>;
export type AcquireInit = MessageInitShape<typeof acquire.input>;

export interface GrpcClient {
  readonly client: Client;
  tryAcquire(
    request: TryAcquireInit,
    options?: CallOptions,
    metadata?: Metadata,
  ): Promise<MessageShape<typeof tryAcquire.output>>;
  /** Any path with any bytes. */
  call(path: string, bytes: Buffer): Promise<Buffer>;
  acquire(request: AcquireInit, options?: CallOptions): ClientReadableStream<MessageShape<typeof acquire.output>>;
  session(): ClientDuplexStream<MessageShape<typeof session.input>, MessageShape<typeof session.output>>;
}

export function createGrpcClient(address: string, options: ClientOptions = {}): GrpcClient {
  // Each client its own connection, or tests would share what they are to break.
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1, ...options });
  onTestFinished(() => client.close());
  const call = (path: string, bytes: Buffer, callOptions: CallOptions, metadata = new Metadata()) =>
    new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, identity, identity, bytes, metadata, callOptions, (error, answer) =>
        error ? reject(error) : resolve(answer as Buffer),
      );
    });
  return {
    client,
    call: (path, bytes) => call(path, bytes, {}),
    async tryAcquire(request, callOptions = {}, metadata) {
      const bytes = Buffer.from(toBinary(tryAcquire.input, create(tryAcquire.input, request)));
      return fromBinary(tryAcquire.output, await call(pathOf(tryAcquire), bytes, callOptions, metadata));
    },
    acquire: (request, callOptions = {}) =>
      client.makeServerStreamRequest(
        pathOf(acquire),
        (message) => Buffer.from(toBinary(acquire.input, message)),
        (bytes) => fromBinary(acquire.output, bytes),
        create(acquire.input, request),
        callOptions,
      ),
    session: () =>
      client.makeBidiStreamRequest(
        pathOf(session),
        (message) => Buffer.from(toBinary(session.input, message)),
        (bytes) => fromBinary(session.output, bytes),
      ),
  };
}

/** The `google.rpc.Status` that an error carries. */
export function richStatusOf(error: ServiceError): MessageShape<typeof StatusSchema> {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  return fromBinary(StatusSchema, Buffer.from(bytes as Buffer));
}

/** The error that a call fails with; fails if it does not. */
export function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    (answer) => {
      throw new Error(`the call succeeded with ${JSON.stringify(answer)}`);
    },
    (error: ServiceError) => error,
  );
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function identity(bytes: Buffer): Buffer {
  return bytes;
}
