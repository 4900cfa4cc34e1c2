/** What a page says when it goes away. */

import type { DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";

/** A call to whose answer nothing listens. */
export interface LastWord<M extends DescMethodUnary = DescMethodUnary> {
  readonly method: M;
  readonly request: MessageInitShape<M["input"]>;
}
