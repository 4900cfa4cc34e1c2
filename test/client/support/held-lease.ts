/** A lease in a test's hands, and what the server says of it. */

import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AcquireOptions } from "../../../src/client/api/client.ts";
import { type Fixture, granted } from "./client-fixture.ts";

/** A lease that was granted at once, and its stream. */
export async function hold({ client, service }: Fixture, options: AcquireOptions = {}, grant = granted()) {
  const acquiring = client.acquire("db", options);
  const stream = await service.acquire.next();
  stream.say({ event: { case: "granted", value: grant } });
  return { lease: await acquiring, stream };
}

/** The answer to a renewal: good for `validFor` ms more. */
export function renewed(validFor: number, revokingUntil?: Date) {
  const expireTime = revokingUntil && timestampFromMs(revokingUntil.getTime());
  return {
    result: {
      case: "renewed" as const,
      value: { validFor: durationFromMs(validFor), revoking: revokingUntil !== undefined, expireTime },
    },
  };
}
