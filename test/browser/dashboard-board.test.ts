/** Boards on the dashboard. */

import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { BoardService } from "../../src/client/gen/ggen/backpressure/v1/board_service_pb.ts";
import { CardState } from "../../src/client/gen/ggen/backpressure/v1/card_pb.ts";
import { startTestServer } from "../support/server.ts";
import { seriousViolations } from "./support/axe.ts";
import { useDashboard } from "./support/dashboard.ts";

const { addCard, getBoard, getCard, tryPullCard } = BoardService.method;
const dashboard = useDashboard();

async function start() {
  const server = await startTestServer(
    "limiters: []\nboards: [{ name: release, stages: [{ name: Todo }, { name: Doing, wip_limit: 2 }, { name: Done }] }]",
  );
  onTestFinished(() => server[Symbol.asyncDispose]());
  const client = server.grpc();
  for (const id of ["parser", "lexer", "printer"]) {
    await client.call(addCard, { board: "release", card: { id, title: `Write the ${id}` } });
  }
  return { server, client };
}

function stage(page: Page, name: string) {
  return page.locator(`[data-stage="${name}"]`);
}

test("a card that a worker pulls moves without a reload, and the figures are those of the RPC", async () => {
  const { server, client } = await start();
  const page = await dashboard.open(server.url, "#/boards");
  await page.getByRole("link", { name: "release" }).click();
  await stage(page, "Todo").locator('[data-card="parser"]').waitFor();
  expect(await stage(page, "Todo").locator(".count").textContent()).toBe("3");
  const { result } = await client.call(tryPullCard, { board: "release", stage: "Doing", worker: "ann" });
  if (result.case !== "pulled") throw new Error("nothing was pulled");
  const card = stage(page, "Doing").locator('[data-card="parser"]');
  await card.waitFor({ timeout: 1_000 });
  expect(await card.textContent()).toContain("in work · ann");
  const { board } = await client.call(getBoard, { name: "release" });
  const [todo, doing] = board?.stages ?? [];
  expect(await stage(page, "Todo").locator(".count").textContent()).toBe(String(todo?.status?.cards));
  expect(await stage(page, "Doing").locator(".count").textContent()).toBe(`${doing?.status?.cards} of 2`);
  expect(await seriousViolations(page)).toEqual([]);
});

test("cards are added, blocked and unblocked, and each act says before and after what it does", async () => {
  const { server, client } = await start();
  const page = await dashboard.open(server.url, "#/boards/release");
  await page.getByRole("button", { name: "Add a card" }).click();
  await page.getByLabel("Title").fill("Write the docs");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText(/^Write the docs is added as \S+, and stands in Todo\./).waitFor();
  await stage(page, "Todo").getByText("Write the docs").waitFor();

  await stage(page, "Todo").locator('[data-card="lexer"]').click();
  await page.getByText("Blocked, it cannot be pulled, and still counts in Todo.").waitFor();
  await page.getByLabel("Why").fill("waits for the grammar");
  await page.getByRole("button", { name: "Block", exact: true }).click();
  await page.getByText("lexer is blocked: it stays in Todo and counts there until it is unblocked.").waitFor();
  await stage(page, "Todo").locator('[data-card="lexer"].blocked').waitFor();
  expect((await client.call(getCard, { board: "release", cardId: "lexer" })).card).toMatchObject({
    state: CardState.BLOCKED,
    reason: "waits for the grammar",
  });

  await stage(page, "Todo").locator('[data-card="lexer"]').click();
  await page.getByText("waits for the grammar").waitFor();
  await page.getByRole("button", { name: "Unblock" }).click();
  await stage(page, "Todo").locator('[data-card="lexer"].waiting').waitFor();
});

test("a stage's limit is changed with a word before on what will come of it", async () => {
  const { server, client } = await start();
  await client.call(tryPullCard, { board: "release", stage: "Doing", worker: "ann" });
  await client.call(tryPullCard, { board: "release", stage: "Doing", worker: "ben" });
  const page = await dashboard.open(server.url, "#/boards/release");
  await page.getByRole("button", { name: "Limit of Doing" }).click();
  await page.getByLabel("Cards at most").fill("1");
  await page
    .getByText("2 cards in Doing stay there, and none is pulled into it until there are fewer than 1.")
    .waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByText("Doing of release has a limit of 1 now.").waitFor();
  await stage(page, "Doing").getByText("2 of 1").waitFor();
  expect((await client.call(getBoard, { name: "release" })).board?.stages[1]?.wipLimit).toBe(1);
});

test("a board that is not there is said to be so", async () => {
  const { server } = await start();
  const page = await dashboard.open(server.url, "#/boards/none");
  await page.getByText("There is no board of this name now.").waitFor();
});
