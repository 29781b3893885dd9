import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { accessible, closeBrowser, figure, fleetOf, ok, open, scenario, target, until } from "./harness.mjs";

after(closeBrowser);

test("the pages of the fleet and of its gossip keep the policy, and axe finds nothing", async (t) => {
  const [a] = await fleetOf(t, 2, scenario("shop", await target(t, ok), "2/s"));
  const look = async (path, options) => {
    const page = await open(t, a.url + path, options);
    await until(async () => (await page.reload(), (await page.locator("tbody").last().locator("tr").count()) === 2), "two members");
    await page.locator("#main").focus(); // Else it reloads.
    return page;
  };
  for (const path of ["fleet", "memberlist"]) {
    await look(path, {}); // What axe needs would hide what violates the policy.
    for (const colorScheme of ["light", "dark"]) {
      const page = await look(path, { colorScheme, bypassCSP: true });
      await accessible(page, `${path}, ${colorScheme}`);
      await page.setViewportSize({ width: 390, height: 800 });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is wider than a phone`);
    }
  }
});

test("budgets, users, latencies and failures are the fleet's, with each member's part", async (t) => {
  // One in four fails, a step takes half a second.
  let n = 0;
  const url = await target(t, (_, response) => {
    response.statusCode = ++n % 4 ? 200 : 503;
    setTimeout(() => response.end(), 500);
  });
  const slo = "    slo: {objective: 50%, latency: 5s}";
  const config = (rate) => `
  - name: shop
    rate: ${rate}
${slo}
    requests: [{name: visit, steps: [{name: home, url: "${url}"}, {pause: 1s}, {name: buy, url: "${url}"}]}]
`;
  const all = await fleetOf(t, 2, config("20/s"));
  const pages = [];
  for (const e of all) pages.push(await open(t, e.url));
  for (const page of pages) {
    await until(async () => (await page.locator("#one-replica").count()) === 0 && (await page.locator("#parts tbody tr").count()) === 2, "the sum");
    // Each user is there for two seconds or, after a failure, less.
    await until(async () => {
      const users = parseFloat(await figure(page, "Users"));
      const own = await all[0].metric("traffic_journeys_in_progress");
      return users > 1.4 * own && own > 0;
    }, "the users of both");
    await until(async () => {
      const l = JSON.parse(await all[0].get("api/v1/live?scenario=shop")).data;
      const medians = l.detail.members.map((m) => m.p50);
      return medians.length === 2 && l.scenarios[0].p50 > 0.9 * Math.min(...medians) && l.scenarios[0].p50 < 1.1 * Math.max(...medians);
    }, "a median between those of the members");
    assert.match(await page.locator("#failures-key").innerText(), /status/);
  }
  for (const e of all) await e.write((await readFile(e.file, "utf8")).replace("rate: 20/s", "rate: 0/s"));
  for (const e of all) await until(async () => (await e.metric("traffic_target_rate")) === 0 && (await e.metric("traffic_slots_in_flight")) === 0, "quiet");
  const sum = async (labels) => (await Promise.all(all.map((e) => e.metric("traffic_slo_requests_total", labels)))).reduce((x, y) => x + y);
  const good = await sum('good="true"');
  const bad = await sum('good="false"');
  for (const e of all) {
    await until(async () => {
      const b = JSON.parse(await e.get("api/v1/live")).data.scenarios[0].slo;
      return b.good === good && b.bad === bad;
    }, `a budget of ${good} good and ${bad} bad`);
  }
  for (const page of pages) {
    const left = 100 * (1 - bad / ((good + bad) * 0.5));
    await until(async () => Math.abs(parseFloat(await figure(page, "Error budget left")) - left) < 0.1, `${left} % of the budget`);
    assert.doesNotMatch(await page.locator("#detail-figures").innerText(), /this replica/);
  }
});
