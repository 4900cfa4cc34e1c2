/** `backpressure revoke`: asks a holder for its lease back. */

import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Option } from "commander";
import {
  type RevokeLeaseResponse,
  RevokeLeaseResponseSchema,
} from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { leaseEndFromWire } from "../../client/wire/lease.ts";
import { formatTimeOfDay } from "../../text/number.ts";
import { until } from "../output/lease-table.ts";
import { openLimiterCalls } from "../session/connection.ts";
import type { Context, DefineCommand } from "../session/context.ts";
import { EXIT } from "../session/exit-codes.ts";
import { jsonLine } from "../text/json-line.ts";

interface RevokeFlags {
  readonly force?: boolean;
  readonly message?: string;
}

const HELP = `
The holder is notified, and its permits are free when it releases them, or when the lease's ttl has passed.

Examples:
  backpressure revoke 0192f3c8a1 --message "the database is being upgraded"
  backpressure revoke 0192f3c8a1 --force`;

export const defineRevoke: DefineCommand = (command, handle) => {
  command
    .argument("<lease>", "its id, as `leases` shows it")
    .addOption(new Option("--force", "free its permits now, while its holder may still be at work"))
    .addOption(new Option("-m, --message <text>", "why, for its holder"))
    .addHelpText("after", HELP)
    .action(handle(revoke));
};

async function revoke(
  { terminal, address, json }: Context,
  leaseId: string,
  { force, message }: RevokeFlags,
): Promise<number> {
  using calls = await openLimiterCalls(address);
  const response = await calls.unary((rpc, options) => rpc.revokeLease({ leaseId, force, message }, options));
  terminal.print(json ? jsonLine(RevokeLeaseResponseSchema, response) : revokedWords(leaseId, response));
  return EXIT.ok;
}

function revokedWords(leaseId: string, { lease, end }: RevokeLeaseResponse): string {
  if (lease === undefined) return `lease ${leaseId} has ended: ${leaseEndFromWire(end)}`;
  const holder = lease.holder === "" ? "its holder" : lease.holder;
  if (lease.expireTime === undefined) return `lease ${leaseId} is asked back of ${holder}`;
  const time = formatTimeOfDay(timestampDate(lease.expireTime));
  return `lease ${leaseId} is asked back of ${holder}: it ends by ${time}, in ${until(lease.expireTime, createSystemClock().now().wall)}`;
}
