/** Every RPC that a server serves, with a request of it. One that has no rule of access, or no sample, is found here. */

import { create, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type SessionCommandSchema,
  SessionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import { RULES, type Rule } from "../../../../src/server/service/access/rules.ts";
import { ADMISSION, BOARDS, CONFIG, LIMITERS, type Things } from "../../../server/service/access/support/samples.ts";
import { createStage } from "../../../server/service/access/support/stage.ts";

export interface Rpc {
  readonly name: string;
  readonly method: DescMethod;
  readonly rule: Rule<never>["kind"];
  /** About these things. */
  request(things: Things): Message;
}

type Sample = (things: Things) => object;

const LIST_SERVICES = { messageRequest: { case: "listServices", value: "" } };
const OTHERS = {
  session: () => ({ open: {} }),
  check: () => ({}),
  list: () => ({}),
  watch: () => ({}),
  serverReflectionInfo: () => LIST_SERVICES,
};
const SAMPLES: Readonly<Record<string, Sample>> = { ...ADMISSION, ...LIMITERS, ...BOARDS, ...CONFIG, ...OTHERS };

/** As the services of a server have them: an RPC is among them as soon as it is served. */
export const RPCS: readonly Rpc[] = createStage()
  .services.flatMap(({ descriptor }) => descriptor.methods)
  .map((method) => {
    const rule = RULES[method.parent.typeName]?.[method.localName];
    const sample = SAMPLES[method.localName];
    if (rule === undefined) throw new Error(`${method.parent.typeName}/${method.name} has no rule of access`);
    if (sample === undefined) throw new Error(`${method.parent.typeName}/${method.name} has no sample`);
    const name = `${method.parent.typeName}/${method.name}`;
    return {
      name,
      method,
      rule: rule.kind,
      request: (things) => create(method.input, sample(things) as Record<string, unknown>),
    };
  });

type CommandName = NonNullable<MessageInitShape<typeof SessionCommandSchema>["command"]>["case"];

/** Every command of a session. One that has no sample does not compile. */
const COMMANDS: Readonly<Record<Exclude<CommandName, undefined>, Sample>> = {
  acquire: ADMISSION.acquire,
  tryAcquire: ADMISSION.tryAcquire,
  release: ADMISSION.release,
  renew: () => ({}),
  cancel: () => ({ commandId: 77n }),
  pull: BOARDS.pullCard,
  tryPull: BOARDS.tryPullCard,
  finish: BOARDS.finishCard,
  giveBack: BOARDS.giveBackCard,
  sendBack: BOARDS.sendBackCard,
};

/** Sessions that are opened with one command, one for each, and a sign of life behind it, since not every command has an answer. */
export const COMMAND_RPCS: readonly Rpc[] = Object.entries(COMMANDS).map(([name, sample]) => {
  const method = SessionService.method.session;
  const commandsOf = (things: Things) => [
    { id: 1n, command: { case: name, value: sample(things) } },
    { id: 2n, command: { case: "renew", value: {} } },
  ];
  return {
    name: `${SessionService.typeName}/Session ${name}`,
    method,
    rule: "service",
    request: (things) => create(method.input, { open: {}, commands: commandsOf(things) as never }),
  };
});
