/** How requests in JSON are read: an unknown field is refused, since what a person has misspelt would be passed over. */

import type { DescMessage } from "@bufbuild/protobuf";
import { invalidRequest } from "../../wire/error-wire.ts";
import { jsonViolations } from "../../wire/json-request.ts";
import { connectErrorOf } from "./error.ts";

/** For connect's routes; fields that a binary message has and this server does not know are passed over as ever. */
export function jsonOptionsOf(input: DescMessage) {
  const decoder = new TextDecoder();
  return {
    ignoreUnknownFields: false,
    /** Called with each message, and what it throws is the caller's answer. */
    textDecoder: {
      decode(bytes?: Uint8Array): string {
        const text = decoder.decode(bytes);
        const violations = violationsOf(input, text);
        if (violations.length > 0) throw connectErrorOf(invalidRequest(violations), "connect");
        return text;
      },
    },
  };
}

function violationsOf(input: DescMessage, text: string) {
  try {
    return jsonViolations(input, JSON.parse(text));
  } catch (error) {
    return [{ field: "", reason: "json.syntax", description: `the request is no JSON: ${(error as Error).message}` }];
  }
}
