/** Connect's router, whose calls can be asked for their headers (`metadata.ts`). It stands where the web port imports Connect. */

import { createRegistry, type DescMethod, type Registry } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter as createRouter,
  type HandlerContext,
  type MethodImpl,
} from "@connectrpc/connect";
import type { Header } from "./contract.ts";
import { type CallMetadata, currentCall } from "./metadata.ts";

export { createContextValues } from "@connectrpc/connect";

interface MethodOptions {
  readonly jsonOptions?: object;
}

/** What the suite's messages of any kind may be; set before a transport is made. */
export const messages: { registry: Registry } = { registry: createRegistry() };

type Implementation = (request: unknown, context: HandlerContext) => unknown;

export function createConnectRouter(options: ConnectRouterOptions): ConnectRouter {
  const router = createRouter(options);
  const rpc = router.rpc as (
    method: DescMethod,
    implementation: MethodImpl<DescMethod>,
    options?: object,
  ) => ConnectRouter;
  const observed = (method: DescMethod, implementation: MethodImpl<DescMethod>, methodOptions?: MethodOptions) => {
    const handler: Implementation = (request, context) =>
      currentCall.run(metadataOf(context), () => (implementation as Implementation)(request, context));
    return rpc.call(router, method, handler as MethodImpl<DescMethod>, withRegistry(methodOptions));
  };
  return Object.assign(router, { rpc: observed });
}

/** The suite's answers have messages of any kind in them, which the product's contract has not. */
function withRegistry(options: MethodOptions = {}): MethodOptions {
  return { ...options, jsonOptions: { ...options.jsonOptions, registry: messages.registry } };
}

function metadataOf(context: HandlerContext): CallMetadata {
  return {
    requestHeaders: Array.from(context.requestHeader, ([name, value]) => ({ name, value: value.split(", ") })),
    isGet: context.requestMethod === "GET",
    answerHeaders: (headers) => append(context.responseHeader, headers),
    answerTrailers: (trailers) => append(context.responseTrailer, trailers),
  };
}

function append(target: Headers, headers: readonly Header[]): void {
  for (const { name, value } of headers) for (const text of value) target.append(name, text);
}
