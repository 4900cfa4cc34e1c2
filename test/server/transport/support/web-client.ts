/** connect-node as a client of the contract, over each protocol that the web port speaks. */

import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { AdmissionService } from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { SessionService } from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";

export type AdmissionClient = Client<typeof AdmissionService>;

const TRANSPORTS: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect with JSON": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "gRPC over HTTP/2": (baseUrl) => createGrpcTransport({ baseUrl }),
};

export const PROTOCOLS: readonly string[] = Object.keys(TRANSPORTS);

export function createWebClient(protocol: string, address: string): AdmissionClient {
  return createClient(AdmissionService, transportOf(protocol, address));
}

/** The same of SessionService. */
export function createWebSessions(protocol: string, address: string): Client<typeof SessionService> {
  return createClient(SessionService, transportOf(protocol, address));
}

function transportOf(protocol: string, address: string): Transport {
  const transport = TRANSPORTS[protocol];
  if (transport === undefined) throw new Error(`no such protocol: ${protocol}`);
  return transport(`http://${address}`);
}
