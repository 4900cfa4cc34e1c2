/** Cards as the server would send them. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  PullCardResponseSchema,
  PulledCardSchema,
} from "../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { type CardSchema, CardState } from "../../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { TTL, VALID_FOR } from "./client-fixture.ts";

type CardInit = Exclude<MessageInitShape<typeof CardSchema>, { $typeName: string }>;
type PulledInit = Exclude<MessageInitShape<typeof PulledCardSchema>, { $typeName: string }>;

interface LeaseTerms {
  /** ms; undefined: for ever, as a person's. 0: it ends with its stream. */
  readonly ttl?: number | undefined;
  /** ms; 0: it is not said. */
  readonly validFor?: number;
  readonly fencingToken?: bigint;
}

/** A card that was pulled into InProgress. */
export function pulled(id = "card-1", card: CardInit = {}, terms: LeaseTerms = {}): PulledInit {
  const { ttl = "ttl" in terms ? undefined : TTL, validFor = VALID_FOR, fencingToken = 7n } = terms;
  return {
    card: {
      id,
      title: `the work of ${id}`,
      stage: "InProgress",
      state: CardState.ACTIVE,
      attempt: 1,
      ...card,
      lease: {
        worker: "tests",
        fencingToken,
        pullTime: timestampFromMs(Date.UTC(2026, 0, 1)),
        ttl: ttl === undefined ? undefined : durationFromMs(ttl),
        validFor: validFor === 0 ? undefined : durationFromMs(validFor),
        live: true,
      },
    },
  };
}

/** The same, as a PullCard stream says it. */
export function pulledEvent(...card: Parameters<typeof pulled>): MessageInitShape<typeof PullCardResponseSchema> {
  return { event: { case: "pulled", value: pulled(...card) } };
}
