/** All that a server shows of what its data folder keeps, as plain JSON: what passes with time is left out. */

import { connect } from "../../../../src/client/index.ts";

export interface FolderView {
  readonly limiters: readonly object[];
  readonly leases: readonly object[];
  readonly waiters: readonly object[];
  readonly boards: readonly object[];
  readonly cards: readonly object[];
}

export async function viewFolder(address: string): Promise<FolderView> {
  await using client = connect(address);
  const limiters = [];
  const waiters = [];
  for await (const { status, ...limiter } of client.limiters.list()) {
    limiters.push({ ...limiter, tokens: Math.floor(status.tokensAvailable) });
    // The estimate grows with the age of the leases; every start has its waiters away, and held back by that.
    for await (const { estimatedWaitMs: _, away: __, obstacles: ___, ...waiter } of client.limiters.waiters(
      limiter.name,
    )) {
      waiters.push(waiter);
    }
  }
  const leases = [];
  // Every start orphans leases, and gives them their ttl.
  for await (const { state: _, expireTime: __, ...lease } of client.limiters.leases()) leases.push(lease);
  const boards = [];
  const cards = [];
  for await (const { status: _, stages, ...board } of client.boards.list()) {
    boards.push({ ...board, stages: stages.map(({ status: _, ...stage }) => stage) });
    for await (const { ageMs: _, stageAgeMs: __, blockedTimeMs: ___, etag: ____, ...card } of client
      .board(board.name)
      .list()) {
      cards.push(card);
    }
  }
  return plain({ limiters, leases, waiters, boards, cards });
}

function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, plainField));
}

function plainField(name: string, value: unknown): unknown {
  // What an older folder keeps belongs to callers without a credential; its file of what is expected has no such field.
  if (name === "caller" && value === "") return undefined;
  // Fencing tokens are more than JSON's numbers hold for ever.
  return typeof value === "bigint" ? `${value}` : value;
}
