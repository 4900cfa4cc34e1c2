/** Clients that ask, one thing after the other, for what a server has to keep, and note each answer. */

import { randomBytes } from "node:crypto";
import { AdmissionService } from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { BoardService } from "../../../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { LimiterService } from "../../../../src/client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { createDice, type Dice } from "../../../server/machine/dice.ts";
import { acquire } from "../../../support/acquire.ts";
import { CallFailure, Code } from "../../../support/call-failure.ts";
import type { ContractClient } from "../../../support/contract-client.ts";
import { createGrpcClient } from "../../../support/grpc-client.ts";
import type { Ask, Granted, Ledger, Thing } from "./ledger.ts";

export const LIMITER = "db";
export const BOARD = "board";

export interface Load extends AsyncDisposable {
  /** Resolves when so many more answers have come. */
  answers(count: number): Promise<void>;
  /** Asks for nothing more. Resolves when all that was asked is answered, or the server is gone. */
  stop(): Promise<void>;
}

/** So many cards and limiters a client has at most. */
const MOST_THINGS = 8;

export function startLoad(options: {
  readonly address: string;
  readonly ledger: Ledger;
  readonly clients: number;
  readonly seed: number;
}): Load {
  const { address, ledger, clients, seed } = options;
  const connections = Array.from({ length: clients }, () => createGrpcClient(address));
  let answered = 0;
  let enough = false;
  let onAnswer = () => {};

  const work = async (client: ContractClient, index: number) => {
    const asker = createAsker({ client, ledger, dice: createDice(seed + index) });
    try {
      while (!enough) {
        await asker.askSomething();
        answered += 1;
        onAnswer();
      }
    } catch (error) {
      if (!isGone(error)) ledger.breach(`the answer was unexpected: ${error}`);
    }
  };
  const done = Promise.all(connections.map(work));

  return {
    answers(count) {
      const wanted = answered + count;
      return new Promise((resolve) => {
        onAnswer = () => {
          if (answered >= wanted) resolve();
        };
      });
    },
    async stop() {
      enough = true;
      await done;
    },
    async [Symbol.asyncDispose]() {
      enough = true;
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await done;
    },
  };
}

interface Asker {
  /** Resolves when it is answered; rejects with the failure of the call. */
  askSomething(): Promise<void>;
}

function createAsker(about: { readonly client: ContractClient; readonly ledger: Ledger; readonly dice: Dice }): Asker {
  const { client, ledger, dice } = about;
  const ownAsks: Ask[] = [];
  const ownThings = ledger.take(MOST_THINGS);
  const isHeld = ({ answer }: Ask) => answer.kind === "granted";

  function begin(requestId: string): Ask {
    const ask = ledger.ask({ holder: randomBytes(9).toString("base64url"), requestId });
    ownAsks.push(ask);
    return ask;
  }

  async function tryOne(): Promise<void> {
    const ask = begin(randomBytes(16).toString("base64url"));
    const { holder, requestId } = ask;
    const { result } = await client.call(AdmissionService.method.tryAcquire, {
      claims: [{ limiter: LIMITER }],
      holder,
      requestId,
    });
    if (result.case === "granted") ledger.granted(ask, grantOf(result.value));
    else ask.answer = { kind: "refused" };
  }

  /** The stream stays open: it is the lease. */
  async function holdOne(): Promise<void> {
    const ask = begin("");
    const call = acquire(client, {
      claims: [{ limiter: LIMITER }],
      holder: ask.holder,
      maxWait: { nanos: 100_000_000 },
    });
    try {
      ledger.granted(ask, grantOf(await call.next("granted")));
    } catch (error) {
      if (!(error instanceof CallFailure) || error.code !== Code.DeadlineExceeded) throw error;
      ask.answer = { kind: "refused" };
    }
  }

  async function giveBack(ask: Ask): Promise<void> {
    const { leaseId, secret } = ask.answer as Granted;
    ledger.givingBack(ask);
    await client.call(AdmissionService.method.release, { leaseId, secret });
  }

  /** Makes it, changes it or does away with it. */
  async function change(thing: Thing, to: string | undefined): Promise<void> {
    const made = thing.state === undefined;
    thing.asked = { state: to };
    await (thing.of === "card" ? changeCard : changeLimiter)(client, { name: thing.name, made, to });
    ledger.changed(thing);
    if (to === undefined) ownThings.splice(ownThings.indexOf(thing), 1);
  }

  function createThing(): Thing {
    const name = `x${randomBytes(8).toString("hex")}`;
    const thing = ledger.create({ of: dice.pick(["card", "limiter"]), name });
    ownThings.push(thing);
    return thing;
  }

  return {
    async askSomething() {
      const held = ownAsks.filter(isHeld);
      const roll = dice.roll(100);
      if (roll < 35 && held.length > 0) return giveBack(dice.pick(held));
      if (roll < 60) return tryOne();
      if (roll < 70) return holdOne();
      const another = ownThings.length === 0 || (ownThings.length < MOST_THINGS && dice.chance(40));
      if (another) return change(createThing(), randomBytes(6).toString("hex"));
      return change(dice.pick(ownThings), dice.chance(30) ? undefined : randomBytes(6).toString("hex"));
    },
  };
}

/** The server is, or it has ended the call without a word. */
function isGone(error: unknown): boolean {
  if (!(error instanceof CallFailure)) return false;
  return error.code === Code.Unavailable || error.message.includes("Call ended without gRPC status");
}

interface Change {
  readonly name: string;
  /** It is not there yet. */
  readonly made: boolean;
  /** Undefined: it is to be gone. */
  readonly to: string | undefined;
}

async function changeCard(client: ContractClient, { name, made, to }: Change): Promise<void> {
  const { addCard, updateCard, deleteCard } = BoardService.method;
  // Of several pages, so that a fault may come between them.
  const card = { id: name, title: to, description: `${to}`.repeat(500) };
  if (to === undefined) await client.call(deleteCard, { board: BOARD, cardId: name });
  else if (made) await client.call(addCard, { board: BOARD, card });
  else await client.call(updateCard, { board: BOARD, card });
}

async function changeLimiter(client: ContractClient, { name, made, to }: Change): Promise<void> {
  const { createLimiter, updateLimiter, deleteLimiter } = LimiterService.method;
  const limiter = { name, description: to, maxConcurrent: 1 };
  if (to === undefined) await client.call(deleteLimiter, { name });
  else if (made) await client.call(createLimiter, { limiter });
  else await client.call(updateLimiter, { limiter });
}

function grantOf(granted: {
  readonly secret: string;
  readonly lease?: { readonly id: string; readonly claims: readonly { readonly fencingToken: bigint }[] } | undefined;
}): Omit<Granted, "kind"> {
  const { lease, secret } = granted;
  return { leaseId: lease?.id ?? "", secret, fencingToken: lease?.claims[0]?.fencingToken ?? 0n };
}
