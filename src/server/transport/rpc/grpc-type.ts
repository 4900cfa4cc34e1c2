/** Content types of gRPC and gRPC-Web. */

export interface GrpcType {
  readonly protocol: "grpc" | "grpc-web";
  /** How messages are encoded, such as `proto`, which is also what a type without one means. */
  readonly codec: string;
}

const TYPE = /^application\/(grpc|grpc-web(?:-text)?)(?:\+([^\s;]+))?\s*(?:;|$)/i;

/** Returns undefined for what is neither; parameters may follow a semicolon. */
export function readGrpcType(contentType: string | undefined): GrpcType | undefined {
  const [, protocol, codec = "proto"] = TYPE.exec(contentType ?? "") ?? [];
  if (protocol === undefined) return undefined;
  return { protocol: protocol.toLowerCase() === "grpc" ? "grpc" : "grpc-web", codec: codec.toLowerCase() };
}
