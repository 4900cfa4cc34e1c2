/** What is in a waiter's way: protobuf to what the client shows. */

import type { Obstacle } from "../api/limiter.ts";
import type { Obstacle as WireObstacle } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import { reasonFromWire } from "./reason.ts";

export function obstacleFromWire({ limiter, key, reason, waitersAhead }: WireObstacle): Obstacle {
  return { limiter, key, reason: reasonFromWire(reason), waitersAhead };
}
