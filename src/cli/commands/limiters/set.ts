/** `backpressure limiters set`: creates a limiter, or changes what is given of it. */

import { create, equals } from "@bufbuild/protobuf";
import { Option } from "commander";
import { AdmissionError } from "../../../client/api/errors.ts";
import { type Limiter, LimiterSchema } from "../../../client/gen/ggen/backpressure/v1/limiter_pb.ts";
import {
  CreateLimiterResponseSchema,
  type LimiterService,
  UpdateLimiterResponseSchema,
} from "../../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { changesToWire } from "../../../client/wire/limiter.ts";
import { limiterChangesOf, type SettingFlags, settingOptions } from "../../options/limiter.ts";
import { openLimiterCalls } from "../../session/connection.ts";
import type { Context, DefineCommand } from "../../session/context.ts";
import { EXIT } from "../../session/exit-codes.ts";
import { UsageError } from "../../session/failure.ts";
import type { Calls } from "../../session/grpc-connection.ts";
import { jsonLine } from "../../text/json-line.ts";

interface SetFlags extends SettingFlags {
  readonly createOnly?: boolean;
  readonly updateOnly?: boolean;
  readonly etag?: string;
}

type LimiterCalls = Calls<typeof LimiterService>;

const HELP = `
What is not given stays as it is. A new limiter needs --rate (or --max-rps), --max-concurrent or both.

Examples:
  backpressure limiters set gpu --max-concurrent 4
  backpressure limiters set partner-api --max-rps 100 --burst-size 20 --max-concurrent 5
  backpressure limiters set mail --rate 50/d
  backpressure limiters set db --keyed --max-concurrent 5 --ttl 30s
  backpressure limiters set partner-api --unset burst-size`;

export const defineSet: DefineCommand = (command, handle) => {
  settingOptions(command.argument("<limiter>", "its name"))
    .addOption(new Option("--create-only", "fail if it exists with other settings").conflicts("updateOnly"))
    .addOption(new Option("--update-only", "fail if it does not exist"))
    .addOption(new Option("--etag <etag>", "change it only if it has not changed since").conflicts("createOnly"))
    .addHelpText("after", HELP)
    .action(handle(set));
};

async function set({ terminal, address, json }: Context, name: string, flags: SetFlags): Promise<number> {
  const { limiter: values, paths } = changesToWire(limiterChangesOf(flags));
  if (paths.length === 0 && flags.keyed === undefined) {
    throw new UsageError("say what to set, such as --max-concurrent 5");
  }
  using calls = await openLimiterCalls(address);
  const before = await find(calls, name);
  if (flags.createOnly || (before === undefined && !flags.updateOnly)) {
    const request = { limiter: { ...values, name, keyed: flags.keyed } };
    const response = await calls.unary((rpc, options) => rpc.createLimiter(request, options));
    if (json) terminal.print(jsonLine(CreateLimiterResponseSchema, response));
    else terminal.print(resultWords(name, before, response.limiter));
  } else {
    if (flags.keyed && before?.keyed === false) throw new UsageError(KEYED_IS_FOR_EVER);
    const request = { limiter: { ...values, name, etag: flags.etag }, updateMask: { paths } };
    const response = await calls.unary((rpc, options) => rpc.updateLimiter(request, options));
    if (json) terminal.print(jsonLine(UpdateLimiterResponseSchema, response));
    else terminal.print(resultWords(name, before, response.limiter));
  }
  return EXIT.ok;
}

const KEYED_IS_FOR_EVER = "--keyed can only be chosen when a limiter is created: delete it first, or take another name";

async function find(calls: LimiterCalls, name: string): Promise<Limiter | undefined> {
  try {
    return (await calls.unary((rpc, options) => rpc.getLimiter({ name }, options))).limiter;
  } catch (error) {
    if (error instanceof AdmissionError && error.reason === "LIMITER_NOT_FOUND") return undefined;
    throw error;
  }
}

function resultWords(name: string, before: Limiter | undefined, after: Limiter | undefined): string {
  if (before === undefined) return `created ${name}`;
  return after !== undefined && hasSameSettings(before, after) ? `${name} is unchanged` : `changed ${name}`;
}

function hasSameSettings(before: Limiter, after: Limiter): boolean {
  const output = { etag: "", updateTime: undefined, status: undefined };
  return equals(
    LimiterSchema,
    create(LimiterSchema, { ...before, ...output }),
    create(LimiterSchema, { ...after, ...output }),
  );
}
