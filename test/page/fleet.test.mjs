import { after, test } from "node:test";
import { closeBrowser, figure, fleetOf, ok, open, scenario, target, until } from "./harness.mjs";

after(closeBrowser);

test("a fleet is summed, and a replica that was killed is missed until it is back", async (t) => {
  const url = await target(t, ok);
  const [a, b] = await fleetOf(t, 2, scenario("shop", url, "40/s"));
  const page = await open(t, a.url);
  const members = page.locator("#members .member");
  await until(async () => (await members.count()) === 2, "two members");
  await until(async () => (await page.locator("#one-replica").count()) === 0 && (await page.locator("#parts tbody tr").count()) === 2, "the sum");
  await until(async () => Math.abs(parseFloat(await figure(page, "Delivered")) - 40) < 4, "40/s by both");
  await b.stop();
  await until(async () => (await page.locator("#members").innerText()).match(/lost|taken over/), "the loss");
  await b.run();
  await until(async () => (await page.locator("#members .pill.ok").count()) === 2 && (await page.locator("#one-replica").count()) === 0, "the replica that is back");
});
