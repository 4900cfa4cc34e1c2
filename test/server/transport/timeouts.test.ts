import { expect, test } from "vitest";
import {
  clampConnectTimeout,
  clampGrpcTimeout,
  connectTimeout,
  grpcTimeout,
} from "../../../src/server/transport/rpc/timeouts.ts";

test.each([
  ["1n", "1n"],
  ["99999999m", "99999999m"],
  ["2147483S", "2147483S"],
  ["2147484S", "2147483S"],
  ["35791M", "35791M"],
  ["35792M", "2147483S"],
  ["596H", "596H"],
  ["597H", "2147483S"],
  ["99999999H", "2147483S"],
  ["", ""],
  ["soon", "soon"],
  ["999999999S", "999999999S"],
])("a grpc-timeout of %j becomes %j", (header, clamped) => {
  expect(clampGrpcTimeout(header)).toBe(clamped);
});

test.each([
  ["0", "0"],
  ["2147483647", "2147483647"],
  ["2147483648", "2147483647"],
  ["9999999999", "2147483647"],
  ["99999999999", "99999999999"],
  ["-1", "-1"],
])("a connect-timeout-ms of %j becomes %j", (header, clamped) => {
  expect(clampConnectTimeout(header)).toBe(clamped);
});

test.each([
  ["5H", 18_000_000_000],
  ["2M", 120_000_000],
  ["3S", 3_000_000],
  ["250m", 250_000],
  ["7u", 7],
  ["500n", 0.5],
  ["99999999H", 2_147_483_000_000],
  ["", undefined],
  ["1.5S", undefined],
  ["10", undefined],
  [undefined, undefined],
])("a grpc-timeout of %j is %j µs", (header, micros) => {
  expect(grpcTimeout(header)).toBe(micros);
});

test.each([
  ["250", 250_000],
  ["0", 0],
  ["9999999999", 2_147_483_647_000],
  ["12.5", undefined],
  [undefined, undefined],
])("a connect-timeout-ms of %j is %j µs", (header, micros) => {
  expect(connectTimeout(header)).toBe(micros);
});
