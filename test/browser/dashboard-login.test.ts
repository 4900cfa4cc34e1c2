/** The dashboard of a server that asks who calls. */

import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../src/server/auth/static-tokens.ts";
import { startTestServer } from "../support/server.ts";
import { seriousViolations } from "./support/axe.ts";
import { useDashboard } from "./support/dashboard.ts";

const dashboard = useDashboard();

const secret = Buffer.alloc(32, 1).toString("base64url");
const [ANN, BOB] = [`bp_ann_${secret}`, `bp_bob_${secret}`];

const tokens = [ANN, BOB].map((token) => ({
  name: token.split("_")[1],
  sha256: [digestOf(token).toString("hex")],
}));
const ALL = { limiters: ["*"], boards: ["*"] };
const ACCESS = [
  { who: ["token:ann"], may: ["observe", "operate"], ...ALL },
  { who: ["token:bob"], may: ["observe"], limiters: ["d*"] },
];

async function open({ host = "127.0.0.1", hash = "" } = {}) {
  const server = await startTestServer(
    `limiters: [{ name: db, max_concurrent: 2 }, { name: mail, max_concurrent: 1 }]
auth: ${JSON.stringify({ tokens })}
access: ${JSON.stringify(ACCESS)}
`,
  );
  onTestFinished(() => server[Symbol.asyncDispose]());
  const url = server.url.replace("127.0.0.1", host);
  return { server, url, page: await dashboard.open(url, hash) };
}

test.each(["127.0.0.1", "localhost"])(
  "shows nothing by %s until a person has logged in, by keyboard alone",
  async (host) => {
    const { page } = await open({ host, hash: "#/limiters/mail" });
    await page.getByRole("heading", { name: "Who are you?" }).waitFor();
    expect(await page.locator("main").textContent()).not.toContain("mail");
    expect(await seriousViolations(page)).toEqual([]);
    // The field has the focus.
    await page.keyboard.type(`bp_ann_${"x".repeat(43)}`);
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("does not count").waitFor();
    expect(await page.getByLabel("Token").inputValue()).toBe("");
    await page.keyboard.type(ANN);
    await page.keyboard.press("Enter");
    // Where it was meant to go.
    await page.getByRole("heading", { name: "mail" }).waitFor();
    await page.locator(".account", { hasText: "token:ann" }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
  },
);

test("the token is kept nowhere in the page, and its cookie is out of its reach; it is there after a reload", async () => {
  const { page, url } = await open();
  await page.getByLabel("Token").fill(ANN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator(".account", { hasText: "token:ann" }).waitFor();
  const kept = await page.evaluate(async () => [
    document.cookie,
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    JSON.stringify(await indexedDB.databases()),
    document.documentElement.outerHTML,
    location.href,
  ]);
  for (const text of kept) expect(text).not.toContain(secret);
  expect(kept.slice(0, 4)).toEqual(["", "{}", "{}", "[]"]);
  const cookies = await page.context().cookies(url);
  expect(cookies).toMatchObject([
    { name: "__Host-backpressure", httpOnly: true, secure: true, sameSite: "Strict", path: "/", expires: -1 },
  ]);
  expect(JSON.stringify(cookies)).not.toContain(secret);
  await page.reload();
  await page.locator("tbody tr", { hasText: "mail" }).waitFor();
});

test("who may see and not act sees what that is, and is told in words what an act would take", async () => {
  const { page } = await open();
  await page.getByLabel("Token").fill(BOB);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("link", { name: "db" }).click();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page
    .getByRole("alert")
    .getByText("no entry of the server's access list lets this caller operate limiter/db")
    .waitFor();
  await page.getByRole("button", { name: "Leave it" }).click();
  await page.getByRole("link", { name: "Server" }).click();
  await page.getByText("Its configuration is not shown: no entry of the server's access list").waitFor();
  await page.getByRole("link", { name: "Limiters" }).click();
  expect(await page.locator("tbody tr").allInnerTexts()).toEqual([expect.stringContaining("db")]);
});

test("a person who logs out sees nothing any more", async () => {
  const { page, url } = await open();
  await page.getByLabel("Token").fill(ANN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("tbody tr", { hasText: "mail" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Who are you?" }).waitFor();
  expect(await page.context().cookies(url)).toEqual([]);
});

test("a page that came by plain HTTP from elsewhere asks for no token: no browser would keep its login", async () => {
  const { page, url } = await open();
  await page.goto("about:blank");
  await page.addInitScript(() => Object.defineProperty(window, "isSecureContext", { value: false }));
  await page.goto(url);
  await page.getByText("open it by https://").waitFor();
  expect(await page.getByLabel("Token").count()).toBe(0);
});

test("where nobody is asked there is nothing of it", async () => {
  const server = await startTestServer("limiters: [{ name: db, max_concurrent: 2 }]");
  onTestFinished(() => server[Symbol.asyncDispose]());
  const page = await dashboard.open(server.url);
  await page.locator("tbody tr", { hasText: "db" }).waitFor();
  expect(await page.locator(".account").count()).toBe(0);
});
