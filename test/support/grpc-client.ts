/** The contract over grpc-js. */

import { create, type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientOptions, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { fromServiceError } from "./call-failure.ts";
import { type CallOptions, type ContractClient, createStreamSink } from "./contract-client.ts";

/** `address`: host:port. Each client has a connection of its own, or tests would share what they are to break. */
export function createGrpcClient(address: string, options: ClientOptions = {}): ContractClient {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1, ...options });
  const open = new Set<() => void>();
  return {
    call(method, request, callOptions) {
      const { promise, resolve, reject } = Promise.withResolvers<MessageShape<typeof method.output>>();
      client.makeUnaryRequest(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        create(method.input, request),
        metadataOf(callOptions),
        deadline(callOptions),
        (error, answer) =>
          error ? reject(fromServiceError(error)) : resolve(answer as MessageShape<typeof method.output>),
      );
      return promise;
    },
    open(method, request, callOptions) {
      const stream = client.makeServerStreamRequest(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        create(method.input, request),
        metadataOf(callOptions),
        deadline(callOptions),
      );
      const cancel = () => stream.cancel();
      const sink = createStreamSink<MessageShape<typeof method.output>>(cancel);
      open.add(cancel);
      stream.on("data", (message) => sink.put(message));
      stream.on("error", (error: ServiceError) => sink.end(fromServiceError(error)));
      stream.on("status", ({ code }) => {
        open.delete(cancel);
        if (code === status.OK) sink.end(undefined);
      });
      return sink;
    },
    async [Symbol.asyncDispose]() {
      for (const cancel of open) cancel();
      client.close();
    },
  };
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<D extends DescMessage>(desc: D): (message: MessageShape<D>) => Buffer {
  return (message) => Buffer.from(toBinary(desc, message));
}

function decoder<D extends DescMessage>(desc: D): (bytes: Buffer) => MessageShape<D> {
  return (bytes) => fromBinary(desc, bytes);
}

function metadataOf({ headers = {} }: CallOptions = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

function deadline({ timeout }: CallOptions = {}): { deadline?: Date } {
  return timeout === undefined ? {} : { deadline: new Date(Date.now() + timeout) };
}
