/** `grpc.reflection.v1` and `v1alpha`: the contract, for clients that have no file of it at hand. */

import { create, type DescFile, type DescService } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import * as v1 from "../gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Code, WireError } from "../wire/error-wire.ts";
import { type DescriptorIndex, indexDescriptors } from "./descriptor-index.ts";
import { createPace, type Pace } from "./reflection-pace.ts";
import { type BidiStream, createRpcService, type RpcService } from "./rpc.ts";

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
export function createReflection(services: readonly DescService[], clock: Clock): readonly RpcService[] {
  const index = indexDescriptors(
    [...services, v1.ServerReflection, v1alpha.ServerReflection],
    [file_google_rpc_error_details],
  );
  const pace = createPace(clock);
  return [
    createRpcService(
      v1.ServerReflection,
      {
        serverReflectionInfo: (stream) =>
          converse({ stream, answer: answerer(index), pace, clock }, (originalRequest, messageResponse) =>
            create(v1.ServerReflectionResponseSchema, {
              validHost: originalRequest.host,
              originalRequest,
              messageResponse,
            }),
          ),
      },
      { aside: true },
    ),
    createRpcService(
      v1alpha.ServerReflection,
      {
        serverReflectionInfo: (stream) =>
          converse({ stream, answer: answerer(index), pace, clock }, (originalRequest, messageResponse) =>
            create(v1alpha.ServerReflectionResponseSchema, {
              validHost: originalRequest.host,
              originalRequest,
              messageResponse,
            }),
          ),
      },
      { aside: true },
    ),
  ];
}

/** Questions of one stream that may wait for their answers; one more ends it. */
const MOST_QUESTIONS = 64;
/** Bytes of an answer beside its files. */
const ENVELOPE_BYTES = 256;

interface Conversation<I, O> {
  readonly stream: BidiStream<I, O>;
  readonly answer: (question: Question) => Answer;
  readonly pace: Pace;
  readonly clock: Clock;
}

/** Answers one question after the other, as fast as the reader takes the answers and the pace allows. */
function converse<I extends { readonly messageRequest: Question }, O>(
  { stream, answer, pace, clock }: Conversation<I, O>,
  reply: (request: I, answer: Answer) => O,
): void {
  const questions: I[] = [];
  let writable = true;
  let halfClosed = false;
  let cancelWait: (() => void) | undefined;

  const goOn = () => {
    while (writable && cancelWait === undefined && questions.length > 0) {
      const wait = pace.wait(stream.peer);
      if (wait > 0) {
        cancelWait = clock.schedule(clock.now() + wait, false, () => {
          cancelWait = undefined;
          goOn();
        });
        return;
      }
      const request = questions.shift() as I;
      const given = answer(request.messageRequest);
      pace.spend(stream.peer, bytesOf(given));
      writable = stream.send(reply(request, given));
    }
    if (halfClosed && questions.length === 0) stream.end();
  };
  const stop = () => {
    questions.length = 0;
    cancelWait?.();
  };

  stream.onEnd(stop);
  stream.onWritable(() => {
    writable = true;
    goOn();
  });
  stream.onMessage((request) => {
    if (questions.length === MOST_QUESTIONS) {
      stop();
      stream.fail(
        new WireError(
          Code.ResourceExhausted,
          `${MOST_QUESTIONS} questions wait for their answers; ask one after the other`,
        ),
      );
      return;
    }
    questions.push(request);
    goOn();
  });
  stream.onHalfClose(() => {
    halfClosed = true;
    goOn();
  });
}

function bytesOf(answer: Answer): number {
  if (answer.case !== "fileDescriptorResponse") return ENVELOPE_BYTES;
  return answer.value.fileDescriptorProto.reduce((sum, { byteLength }) => sum + byteLength, ENVELOPE_BYTES);
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
