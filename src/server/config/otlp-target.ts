/** Where telemetry is sent: a receiver of OTLP over HTTP, as the file says it, as the server has it, and as clients may see it. */

import { create } from "@bufbuild/protobuf";
import { type OtlpTarget, OtlpTargetSchema } from "../gen/ggen/backpressure/config/v1/config_pb.ts";
import type { Complaints } from "./complaints.ts";
import { quote } from "./yaml/value.ts";

export interface OtlpSettings {
  /** As the file says it: see `otlpUrl`. */
  readonly url: string;
  readonly headers: readonly OtlpHeaderSettings[];
}

/** One of the two is empty. */
export interface OtlpHeaderSettings {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** The file that holds the value, to be read for each request. */
  readonly valueFile: string;
}

/** Stands for a value that may be a secret. */
const WITHHELD = "(withheld)";

/** Headers that say what the message of the request is, and how it comes. */
const OF_THE_PROTOCOL: ReadonlySet<string> = new Set([
  ...["connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"],
]);

export function otlpSettings(target: OtlpTarget | undefined): OtlpSettings | undefined {
  if (target === undefined) return undefined;
  const headers = target.headers.map(({ name, value, valueFile }) => ({ name: name.toLowerCase(), value, valueFile }));
  return { url: target.url, headers };
}

/** Returns what clients may see of it: all but the values of its headers. */
export function otlpMessage({ url, headers }: OtlpSettings): OtlpTarget {
  return create(OtlpTargetSchema, {
    url,
    headers: headers.map(({ name, value, valueFile }) => ({ name, value: value && WITHHELD, valueFile })),
  });
}

/** Returns where requests of one signal go: a URL that has a path of its own is used as it stands. */
export function otlpUrl({ url }: Pick<OtlpSettings, "url">, signal: "traces" | "metrics"): string {
  const parsed = new URL(url);
  if (parsed.pathname === "/") parsed.pathname = `/v1/${signal}`;
  return parsed.href;
}

/** Reports what the rules of the contract cannot say, and never repeats what may be a secret. */
export function checkOtlpTarget(field: string, target: OtlpTarget | undefined, complaints: Complaints): void {
  if (target === undefined || complaints.concern(field)) return;
  const url = URL.parse(target.url);
  if (url === null) complaints.fault(`${field}.url`, `must be a URL, found ${quote(target.url)}`);
  else if (url.username !== "" || url.password !== "") {
    complaints.fault(`${field}.url`, "must have no user name and no password: say them in a header");
  }
  const seen = new Set<string>();
  for (const [index, { name, value, valueFile }] of target.headers.entries()) {
    const header = `${field}.headers[${index}]`;
    const lower = name.toLowerCase();
    if (seen.has(lower)) complaints.fault(`${header}.name`, `must be a name of its own, found ${quote(name)} again`);
    if (OF_THE_PROTOCOL.has(lower))
      complaints.fault(`${header}.name`, `must be no header of HTTP's, found ${quote(name)}`);
    if ((value === "") === (valueFile === "")) complaints.fault(header, "must have value or value_file, and not both");
    if (!isHeaderValue(value)) complaints.fault(`${header}.value`, `must be ${HEADER_VALUE}`);
    seen.add(lower);
  }
}

const HEADER_VALUE = "of printable ASCII characters, at most 8,192";

export function isHeaderValue(text: string): boolean {
  return /^[ -~]{0,8192}$/.test(text);
}
