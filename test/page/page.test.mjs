import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { accessible, closeBrowser, drawn, Exporter, ok, open, scenario, target, total, until } from "./harness.mjs";

const evil = `<img src=x onerror=alert(1)>`;

after(closeBrowser);

test("the day is drawn from the first responses", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "{daily: [{at: '03:00', rate: 1/s}, {at: '15:00', rate: 20/s}]}", "    time_zone: Asia/Tokyo\n    slo: {objective: 99%, latency: 1s}")}`);
  const page = await open(t, "about:blank", { own: e.url });
  let asked = 0;
  page.on("request", (r) => r.url().includes("/api/v1/live") && asked++);
  await e.stop();
  await e.run();
  await page.goto(e.url);
  await drawn(page, "chart-day");
  // Nothing waits for a timer: a second is what it takes at rest (bench.mjs), and this is for machines that are not.
  const took = performance.now() - e.started;
  assert.ok(asked <= 3 && took < 20_000, `from the start on it took ${asked} requests and ${took} ms`);
  for (const id of ["chart-rate", "chart-latency", "chart-delay"]) await drawn(page, id);
  assert.match(await page.locator("#detail-lead").innerText(), /Asia\/Tokyo/);
  assert.match(await page.locator('[data-figure="Error budget left"]').innerText(), /99 % over the last/);
});

test("figures are those of the metrics", async (t) => {
  let n = 0;
  const url = await target(t, (_, response) => {
    response.statusCode = ++n % 4 ? 200 : 503;
    response.end("so it is");
  });
  const config = (rate) => `scenarios: ${scenario("shop", url, rate)}`;
  const e = await Exporter.start(t, config("50/s"));
  const page = await open(t, e.url);
  await until(async () => (await e.metric("traffic_slots_finished_total")) > 100, "100 slots");
  await e.write(config("0/s"));
  await until(async () => (await e.metric("traffic_target_rate")) === 0 && (await e.metric("traffic_slots_in_flight")) === 0, "quiet");
  const number = (text) => Number(text.replaceAll(/[^0-9]/g, ""));
  for (const [name, metric] of [["Slots due", "traffic_slots_due_total"], ["Finished", "traffic_slots_finished_total"], ["Requests failed", "traffic_request_failures_total"]]) {
    const want = await e.metric(metric);
    await until(async () => number(await total(page, name)) === want, `${name} of ${want}`);
  }
  assert.equal(await total(page, "In flight"), "0");
});

test("what others have named is text everywhere", async (t) => {
  const url = await target(t, (_, response) => {
    response.writeHead(500, { "X-Evil": evil, "Content-Type": "text/html" });
    response.end(`<script>alert(2)</script>${evil}`);
  });
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", url)}`, { flags: ["--web.enable-control"] });
  const set = await fetch(`${e.url}api/v1/scenarios/shop/override`,
    { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ factor: 2, for: "1h", reason: evil, by: evil }) });
  assert.equal(set.status, 200, await set.text());
  // The file takes no such names for scenarios and requests. The page must not rely on that.
  const page = await open(t, "about:blank", { own: e.url });
  await page.route("**/api/v1/**", async (route) => {
    const to = new URL(route.request().url());
    if (to.searchParams.get("scenario") === evil) to.searchParams.set("scenario", "shop");
    const response = await route.fetch({ url: to.href });
    const name = JSON.stringify(evil);
    await route.fulfill({ response, body: (await response.text()).replaceAll('"name":"shop"', `"name":${name}`).replaceAll('"name":"get"', `"name":${name}`).replaceAll('"scenario":"shop"', `"scenario":${name}`) });
  });
  await page.goto(e.url);
  await drawn(page, "chart-day");
  assert.equal(await page.locator("#detail-title").innerText(), evil);
  assert.equal(await page.locator("#scenarios .name").innerText(), evil);
  await until(async () => (await page.locator("#override").innerText()).includes(`by ${evil}`), "the override");
  await until(async () => (await page.locator("#steps").innerText()).includes(evil), "the request");
  await page.getByRole("button", { name: "Rate…" }).click();
  assert.ok((await page.locator("#change-title").innerText()).includes(evil));
  await page.locator("#change-cancel").click();
  await e.write(`scenarios: [{name: ${JSON.stringify(evil)}, ${JSON.stringify(evil)}: 1}]`);
  await until(async () => (await page.locator("#reload-failed").innerText()).includes("<img"), "the failed reload");
  await page.goto(`${e.url}#/failures`);
  await page.locator("#failures summary").first().click();
  await until(async () => (await page.locator(".exchange").first().innerText()).includes("<script>alert(2)"), "the exchange");
  assert.ok((await page.locator("#failures .who").first().innerText()).includes(evil));
  assert.equal(await page.locator("main img, main script").count(), 0);
});

test("failures have the whole exchange, and a command that sends the slot again", async (t) => {
  const url = await target(t, (_, response) => {
    response.writeHead(503, { "Set-Cookie": "session=hunter2" });
    response.end(`{"error": "no stock", "access_token": "hunter2"}`);
  });
  const e = await Exporter.start(t, `scenarios:
  - name: shop
    rate: 20/s
    requests: [{name: buy, method: POST, headers: {Authorization: Bearer hunter2}, body: {json: {item: 7, password: hunter2}}, url: "${url}/orders?token=hunter2"}]
`);
  const page = await open(t, `${e.url}#/failures`);
  await page.locator("#failures summary", { hasText: "status" }).first().click();
  const exchange = await page.locator(".exchange").first().innerText();
  for (const part of ["> POST /orders", "Traffic-Slot: shop/", '"item":7', "< HTTP/1.1 503", "no stock", "* failed: status"]) {
    assert.ok(exchange.includes(part), `no ${part} in ${exchange}`);
  }
  assert.ok(!exchange.includes("hunter2"), exchange);
  assert.match(await page.locator(".copy code").first().innerText(), new RegExp(`^traffic_exporter send ${e.file} --slot shop/[0-9TZ]+-[0-9a-f]+/[0-9]+$`));
  assert.ok(!(await e.get("api/v1/failures")).includes("hunter2"));
  // What somebody reads stays when others take its place.
  await page.route("**/api/v1/failures?*brief*", (route) => route.fulfill({ json: { status: "success", data: [] } }));
  await until(async () => (await page.locator("#failures > li").count()) === 1, "the one that is open alone");
  assert.equal(await page.locator(".exchange").first().innerText(), exchange);
});

test("control is not there unless it is allowed", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok))}`);
  const page = await open(t, e.url);
  await drawn(page, "chart-day");
  assert.equal(await page.locator("#actions button").count(), 0);
});

test("a rate is changed, with the name typed where it is high, and cleared", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "2/s")}`, { flags: ["--web.enable-control"] });
  const page = await open(t, e.url);
  await page.getByRole("button", { name: "×2" }).click();
  const confirm = page.locator("#change-confirm");
  await until(async () => (await page.locator("#change-preview").innerText()).includes("Peak 4/s"), "the peak");
  assert.ok(await confirm.isDisabled(), "without a reason");
  await page.fill("#change-reason", "a sale");
  await confirm.click();
  await until(async () => (await page.locator("#override").innerText()).includes("×2"), "the override");

  await page.getByRole("button", { name: "Rate…" }).click();
  await page.fill("#change-rate", "8/s");
  await page.fill("#change-reason", "more");
  await page.waitForSelector("#change-name-label:visible");
  assert.ok(await confirm.isDisabled(), "without the name");
  await page.fill("#change-name", "shop");
  await until(() => confirm.isEnabled(), "the name");
  assert.ok(await page.locator("#change-force-label").isHidden());
  await page.fill("#change-rate", "30/s");
  await page.waitForSelector("#change-force-label:visible");
  assert.ok(await confirm.isDisabled(), "without force");
  await page.locator("#change-cancel").click();

  await page.getByRole("button", { name: "Clear" }).click();
  await page.fill("#change-reason", "over");
  await confirm.click();
  await until(async () => (await page.getByRole("button", { name: "Clear" }).count()) === 0, "the end of the override");
});

test("users have to log in, and are named", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "traffic-page-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // The hash is that of "test", of the lowest cost.
  await writeFile(join(folder, "web.yaml"), "basic_auth_users: {grace: $2a$04$1818VB/ElkEehO1GGOJ4VeZoQraQB0nFT5MHVwe0VCG7J2sDJIKu.}\n");
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "2/s")}`,
    { flags: ["--web.enable-control", `--web.config.file=${join(folder, "web.yaml")}`], login: "grace:test" });
  assert.equal((await fetch(e.url)).status, 401);
  const page = await open(t, e.url, { httpCredentials: { username: "grace", password: "test" } });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.fill("#change-reason", "quiet");
  await until(() => page.locator("#change-confirm").isEnabled(), "the preview");
  await page.locator("#change-confirm").click();
  await until(async () => (await page.locator("#override").innerText()).includes("by grace"), "who asked");
});

test("a failed reload shows its mistakes until one succeeds", async (t) => {
  const url = await target(t, ok);
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", url)}`);
  const page = await open(t, e.url);
  await drawn(page, "chart-day");
  await e.write(`scenarios: ${scenario("shop", url, "fast")}`);
  await until(async () => (await page.locator("#reload-failed").innerText()).includes("fast"), "the mistake");
  await e.write(`scenarios: ${scenario("shop", url, "10/s")}`);
  await until(async () => (await page.locator("#reload-failed").count()) === 0, "the end of the mistake");
});

test("a thousand scenarios are listed and found", async (t) => {
  const url = await target(t, ok);
  const all = Array.from({ length: 1000 }, (_, i) => scenario(`scenario-${i}`, url, "1/m")).join("");
  const e = await Exporter.start(t, `scenarios: ${all}`);
  const page = await open(t, e.url);
  await drawn(page, "chart-day");
  assert.match(await page.locator("#more").innerText(), /50 of 1,000/);
  await page.fill("#match", "scenario-777");
  await until(async () => (await page.locator("#scenarios .name").allInnerTexts()).includes("scenario-777"), "the one");
  await page.locator("#scenarios a", { hasText: "scenario-777" }).click();
  await until(async () => (await page.locator("#detail-title").innerText()) === "scenario-777", "its history");
});

test("it is served under a path", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok))}`, { flags: ["--web.external-url=http://127.0.0.1/traffic/"], path: "/traffic/" });
  const page = await open(t, e.url);
  await drawn(page, "chart-day");
  await page.getByRole("link", { name: "Fleet" }).click();
  await page.waitForSelector("text=On its own");
  const root = await fetch(`http://127.0.0.1:${e.port}/`, { redirect: "manual" });
  assert.equal(root.headers.get("location"), "/traffic/");
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing, ${colorScheme} and on a phone`, async (t) => {
    let n = 0;
    const url = await target(t, (_, response) => {
      response.statusCode = ++n % 4 ? 200 : 503;
      response.end();
    });
    const e = await Exporter.start(t, `scenarios: ${scenario("shop", url, "20/s", "    slo: {objective: 99%, latency: 100ms}")}`, { flags: ["--web.enable-control"] });
    const page = await open(t, e.url, { colorScheme, bypassCSP: true });
    const check = (what) => accessible(page, what);
    await drawn(page, "chart-day");
    await check("live");
    await page.getByRole("button", { name: "×2" }).click();
    await check("dialog");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 390, height: 800 });
    await check("phone");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the phone");
    await page.evaluate(() => (location.hash = "#/failures"));
    await page.locator("#failures summary").first().click();
    await check("failures");
    await page.evaluate(() => (location.hash = "#/config"));
    await until(async () => (await page.locator("#config").innerText()).includes("shop"), "the configuration");
    await check("configuration");
    await page.goto(`${e.url}fleet`);
    await check("fleet");
  });
}

test("a day whose slots are sent is a state of its own", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "50/s", "    limits: {max_slots_per_day: 1}")}`);
  const page = await open(t, e.url);
  await until(async () => (await page.locator("#scenarios .pill").innerText()) === "day's limit", "the day's limit");
  assert.match(await page.locator("#scenarios .pill").getAttribute("class"), /new/);
  assert.match(await page.locator('[data-figure="Scenarios"]').innerText(), /all as they should be/);
  assert.doesNotMatch(await page.locator('[data-figure="Dropped"]').getAttribute("class"), /bad/);
});
