/** The contract's rules for a session's messages: one command that breaks them fails alone. */

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  ReleaseRequestSchema,
  TryAcquireRequestSchema,
} from "../../gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  FinishCardRequestSchema,
  GiveBackCardRequestSchema,
  PullCardRequestSchema,
  SendBackCardRequestSchema,
  TryPullCardRequestSchema,
} from "../../gen/ggen/backpressure/v1/board_service_pb.ts";
import {
  type OpenSession,
  OpenSessionSchema,
  type SessionCommand,
  type SessionRequest,
} from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { FieldViolation } from "../../wire/error-wire.ts";
import { violationsIn, violationsOf } from "../../wire/validate.ts";

/** Commands of one message at most, as in the contract. */
const MAX_COMMANDS = 1_000;

type Opening =
  | { readonly kind: "valid"; readonly open: OpenSession }
  | { readonly kind: "invalid"; readonly violations: readonly FieldViolation[] };

export function checkOpening({ open }: SessionRequest): Opening {
  if (open === undefined) return { kind: "invalid", violations: [NOT_OPENED] };
  const violations = violationsOf(OpenSessionSchema, open);
  return violations.length > 0
    ? { kind: "invalid", violations: violationsIn("open", violations) }
    : { kind: "valid", open };
}

/** What is wrong with a message as a whole, beside its first. */
export function checkMessage({ open, commands }: SessionRequest, isFirst: boolean): readonly FieldViolation[] {
  if (open !== undefined && !isFirst) return [OPENED_TWICE];
  return commands.length > MAX_COMMANDS ? [TOO_MANY] : NONE;
}

/** Names fields as the call of the command's name does. */
export function checkCommand(command: SessionCommand["command"]): readonly FieldViolation[] {
  switch (command.case) {
    case "acquire":
      return check(AcquireRequestSchema, command.value, command.value);
    case "tryAcquire":
      return check(TryAcquireRequestSchema, command.value);
    case "release":
      return check(ReleaseRequestSchema, command.value);
    case "pull":
      return check(PullCardRequestSchema, command.value, command.value);
    case "tryPull":
      return check(TryPullCardRequestSchema, command.value);
    case "finish":
      return check(FinishCardRequestSchema, command.value);
    case "giveBack":
      return check(GiveBackCardRequestSchema, command.value);
    case "sendBack":
      return check(SendBackCardRequestSchema, command.value);
    case "renew":
    case "cancel":
      return NONE;
    case undefined:
      return [NO_COMMAND];
  }
}

/** `said`: what the session says for all of its commands. */
function check<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  said?: { readonly keepOnCancel: boolean; readonly resume?: unknown },
): readonly FieldViolation[] {
  const violations = violationsOf(schema, message);
  if (violations.length > 0) return violations;
  if (said?.keepOnCancel === true) return [forAll("keep_on_cancel")];
  return said?.resume === undefined ? NONE : [forAll("resume")];
}

function forAll(field: string): FieldViolation {
  return { field, description: "is said for the whole session, in open", reason: "session_command.open" };
}

const NONE: readonly never[] = [];
const NOT_OPENED: FieldViolation = {
  field: "open",
  description: "is required in the first message of a session",
  reason: "session_request.open",
};
const OPENED_TWICE: FieldViolation = {
  field: "open",
  description: "is refused in any message but the first: the session is open",
  reason: "session_request.open",
};
const TOO_MANY: FieldViolation = {
  field: "commands",
  description: `must have at most ${MAX_COMMANDS} in one message`,
  reason: "repeated.max_items",
};
const NO_COMMAND: FieldViolation = { field: "command", description: "must be set", reason: "oneof.required" };
