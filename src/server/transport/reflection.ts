/** `grpc.reflection.v1` and `v1alpha`: the contract, for clients that have no file of it at hand. */

import { create, type DescFile, type DescService } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import * as v1 from "../gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { createRpcService, type RpcService } from "../service/rpc.ts";
import { Code } from "../wire/error-wire.ts";
import { type DescriptorIndex, indexDescriptors } from "./descriptor-index.ts";

/** A question, the same in both versions. */
type Question = v1.ServerReflectionRequest["messageRequest"] | v1alpha.ServerReflectionRequest["messageRequest"];

type Answer =
  | { readonly case: "fileDescriptorResponse"; readonly value: { readonly fileDescriptorProto: Uint8Array[] } }
  | {
      readonly case: "allExtensionNumbersResponse";
      readonly value: { readonly baseTypeName: string; readonly extensionNumber: number[] };
    }
  | { readonly case: "listServicesResponse"; readonly value: { readonly service: { readonly name: string }[] } }
  | { readonly case: "errorResponse"; readonly value: { readonly errorCode: number; readonly errorMessage: string } };

/** Both versions, for these services, for themselves, and for what errors carry, which no method names. */
export function createReflection(services: readonly DescService[]): readonly RpcService[] {
  const index = indexDescriptors(
    [...services, v1.ServerReflection, v1alpha.ServerReflection],
    [file_google_rpc_error_details],
  );
  return [
    createRpcService(
      v1.ServerReflection,
      {
        serverReflectionInfo(stream) {
          const answer = answerer(index);
          stream.onMessage((request) => {
            const messageResponse = answer(request.messageRequest);
            const { host } = request;
            stream.send(
              create(v1.ServerReflectionResponseSchema, { validHost: host, originalRequest: request, messageResponse }),
            );
          });
          stream.onHalfClose(() => stream.end());
        },
      },
      { aside: true },
    ),
    createRpcService(
      v1alpha.ServerReflection,
      {
        serverReflectionInfo(stream) {
          const answer = answerer(index);
          stream.onMessage((request) => {
            const messageResponse = answer(request.messageRequest);
            const { host } = request;
            stream.send(
              create(v1alpha.ServerReflectionResponseSchema, {
                validHost: host,
                originalRequest: request,
                messageResponse,
              }),
            );
          });
          stream.onHalfClose(() => stream.end());
        },
      },
      { aside: true },
    ),
  ];
}

/** Answers the questions of one stream: a file comes with those that it imports and the stream has not had yet. */
function answerer(index: DescriptorIndex): (question: Question) => Answer {
  const sent = new Set<DescFile>();

  const files = (file: DescFile | undefined, what: string): Answer => {
    if (file === undefined) return notFound(what);
    sent.delete(file);
    const fileDescriptorProto = [...withImports(file, sent)].map(index.bytesOf);
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  };
  return (question) => {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: index.services.map((name) => ({ name })) } };
      case "fileByFilename":
        return files(index.fileByName(question.value), `file ${question.value}`);
      case "fileContainingSymbol":
        return files(index.fileOfSymbol(question.value), `symbol ${question.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const file = index.fileOfExtension(containingType, extensionNumber);
        return files(file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        const numbers = index.extensionNumbers(question.value);
        if (numbers === undefined) return notFound(`message ${question.value}`);
        const value = { baseTypeName: question.value, extensionNumber: [...numbers] };
        return { case: "allExtensionNumbersResponse", value };
      }
      case undefined:
        return failure(Code.InvalidArgument, "the request asks for nothing");
    }
  };
}

/** The file itself first, then what it imports; all of them count as sent. */
function* withImports(file: DescFile, sent: Set<DescFile>): Iterable<DescFile> {
  if (sent.has(file)) return;
  sent.add(file);
  yield file;
  for (const dependency of file.dependencies) yield* withImports(dependency, sent);
}

function notFound(what: string): Answer {
  return failure(Code.NotFound, `there is no ${what} here`);
}

function failure(code: Code, message: string): Answer {
  return { case: "errorResponse", value: { errorCode: code, errorMessage: message } };
}
