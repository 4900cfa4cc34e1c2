/** How methods are named on the wire. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { RpcService } from "../../service/rpc.ts";

/** `package.Service/Method`. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** The path that a call of this method comes to. */
export function pathOf(method: DescMethod): string {
  return `/${nameOf(method)}`;
}

/** The paths of the methods that answer with a stream. */
export function streamingPaths(services: readonly RpcService[]): ReadonlySet<string> {
  return pathsWhere(services, ({ methodKind }) => methodKind === "server_streaming" || methodKind === "bidi_streaming");
}

/** The paths of the methods whose requests may go on for ever. */
export function openEndedPaths(services: readonly RpcService[]): ReadonlySet<string> {
  return pathsWhere(services, ({ methodKind }) => methodKind === "client_streaming" || methodKind === "bidi_streaming");
}

/** The paths of the methods that keep what their caller has, or give it back. */
export function givingBackPaths(services: readonly RpcService[]): ReadonlySet<string> {
  return new Set(services.flatMap(({ givesBack }) => givesBack.map(pathOf)));
}

function pathsWhere(services: readonly RpcService[], matches: (method: DescMethod) => boolean): ReadonlySet<string> {
  return new Set(services.flatMap(({ descriptor }) => descriptor.methods.filter(matches).map(pathOf)));
}
