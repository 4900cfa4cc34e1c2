/** What the threads of a front have counted is added up, and stays counted when one of them ends. */

import { expect, test } from "vitest";
import { createCallSum } from "../../../src/server/front/workers/figures.ts";
import { boundsInSeconds, Histogram } from "../../../src/server/machine/structures/histogram.ts";
import { type CallFigures, OK } from "../../../src/server/transport/rpc/call-times.ts";

const BOUNDS = boundsInSeconds(0.001, 1);

function figures(calls: number, streams: number): CallFigures {
  const times = new Histogram(BOUNDS);
  for (let index = 0; index < calls; index++) times.record(500);
  // As it crosses from another thread.
  return structuredClone({
    ended: [{ system: "grpc", method: "a.v1.B/C", code: OK, times: times.copy() }],
    streams: [["a.v1.B/D", streams]],
  });
}

test("calls and streams of several threads are their sums", () => {
  const sum = createCallSum();
  sum.add(figures(2, 1));
  sum.add(figures(3, 4));
  expect(sum.read()).toMatchObject({
    ended: [{ system: "grpc", method: "a.v1.B/C", code: OK, times: { counts: [5, 0, 0], sum: 2_500 } }],
    streams: [["a.v1.B/D", 5]],
  });
});

test("calls of different methods, protocols and statuses are told apart", () => {
  const sum = createCallSum();
  const [one] = figures(1, 0).ended;
  if (one === undefined) throw new Error("there is none");
  sum.add({
    ended: [one, { ...one, system: "connectrpc" }, { ...one, code: 1 }, { ...one, method: "x" }],
    streams: [],
  });
  expect(sum.read().ended).toHaveLength(4);
});

test("of a thread that has ended, calls stay counted, and streams do not", () => {
  const sum = createCallSum();
  sum.addEnded(figures(2, 3));
  expect(sum.read()).toMatchObject({ ended: [{ times: { counts: [2, 0, 0] } }], streams: [] });
});
