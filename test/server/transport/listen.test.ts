import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../../src/server/transport/port/listen.ts";

function server() {
  const created = createServer();
  onTestFinished(() => {
    created.close();
  });
  return created;
}

test.each([
  ["127.0.0.1:0", "127.0.0.1"],
  ["[::1]:0", "::1"],
  ["[::1%lo]:0", "::1"],
  ["localhost:0", expect.stringMatching(/^(127\.0\.0\.1|::1)$/)],
])("%s is listened on, and what was bound is returned", async (address, host) => {
  expect(await listen(server(), address)).toEqual({ host, port: expect.any(Number) });
});

test("a port in use is refused with the address, the fault and the remedy", async () => {
  const { port } = await listen(server(), "127.0.0.1:0");
  await expect(listen(server(), `127.0.0.1:${port}`)).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: the port is in use; stop the process that has it, or choose another`,
  );
});

test.each([
  ["[fe80::1%no-such-zone]:0", /cannot listen on \[fe80::1%no-such-zone\]:0/],
  ["[fe80::1]:0", /a link-local address needs its zone/],
  ["192.0.2.1:0", /no interface of this machine has that address; use 127\.0\.0\.1/],
  ["no-such-host.invalid:0", /the host name does not resolve/],
  ["127.0.0.1:65536", /an address is host:port/],
  ["127.0.0.1", /an address is host:port/],
  ["::1:50051", /an address is host:port, as 127\.0\.0\.1:50051 or \[::1\]:50051/],
  [":50051", /an address is host:port/],
])("%s is refused with what to do", async (address, message) => {
  await expect(listen(server(), address)).rejects.toThrow(message);
});

test("a server whose first address was refused can listen on another", async () => {
  const taken = await listen(server(), "127.0.0.1:0");
  const second = server();
  await expect(listen(second, `127.0.0.1:${taken.port}`)).rejects.toThrow("in use");
  expect((await listen(second, "127.0.0.1:0")).port).not.toBe(taken.port);
});
