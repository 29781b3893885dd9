// What people do to a page, and what they use it with: keyboards, walls, clocks that are wrong,
// proxies, and names that nobody thought of.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { accessible, atEnd, closeBrowser, drawn, Exporter, freePort, ok, open, scenario, target, until } from "./harness.mjs";

after(closeBrowser);

// focused returns the element with the focus: its text or name, and whether that can be seen.
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  return { body: e === document.body, inDialog: Boolean(e.closest("dialog")), seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, id: e.id, what: `${e.tagName} ${e.id} ${e.textContent.trim().slice(0, 40)}` };
});

test("everything is reached by keyboard, and seen to be", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${Array.from({ length: 9 }, (_, i) => scenario(`shop-${i}`, "http://127.0.0.1:1/", "2/s")).join("")}`, { flags: ["--web.enable-control"] });
  const page = await open(t, e.url);
  await drawn(page, "chart-day");
  await page.evaluate(() => { // The elements themselves count how they are reached, as the page may put others in their place.
    globalThis.wanted = () => [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")].filter((x) => x.checkVisibility() && !x.disabled);
    globalThis.reached = new Set();
    document.addEventListener("focusin", (x) => globalThis.reached.add(x.target));
  });
  let tabs = 0;
  for (; tabs < 100; tabs++) {
    await page.keyboard.press("Tab");
    const f = await focused(page);
    if (f.body) break;
    assert.ok(f.seen, `the focus cannot be seen on ${f.what}`);
  }
  assert.ok(tabs > 20, `only ${tabs} were reached`);
  assert.deepEqual(await page.evaluate(() => globalThis.wanted().filter((x) => !globalThis.reached.has(x)).map((x) => x.outerHTML.slice(0, 100))), []);
  // A chart is read by the arrows.
  await until(async () => !(await page.locator("#rate-key").innerText()).includes("–"), "the key");
  await page.locator("#chart-day").focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#day-key").innerText(), /target 2\/s/);
  assert.match(await page.locator("#reader").innerText(), /target 2\/s.*00:00/s);
  await page.keyboard.press("Tab");
  await until(async () => !/2\/s/.test(await page.locator("#day-key").innerText()), "the key without values");
});

test("a dialog keeps the focus, and gives it back", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "2/s")}`, { flags: ["--web.enable-control"] });
  const page = await open(t, e.url);
  await page.getByRole("button", { name: "×2" }).focus();
  await page.keyboard.press("Enter");
  for (let i = 0; i < 12; i++) {
    const f = await focused(page);
    assert.ok(f.inDialog || f.body, `the focus is on ${f.what}`);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Escape");
  assert.match((await focused(page)).what, /^BUTTON {2}×2/);
  // Enter confirms, once all is there.
  await page.keyboard.press("Enter");
  await page.locator("#change-reason").focus();
  await page.keyboard.press("Enter");
  assert.ok(await page.locator("#change").isVisible(), "without a reason it is confirmed");
  await page.keyboard.type("a sale");
  await until(() => page.locator("#change-confirm").isEnabled(), "the preview");
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator("#override").innerText()).includes("a sale"), "the override");
  // The change ends while somebody is about to end it.
  page.forgiven = /404/;
  await page.getByRole("button", { name: "Clear" }).click();
  const cleared = await fetch(`${e.url}api/v1/scenarios/shop/override?reason=first`, { method: "DELETE" });
  assert.equal(cleared.status, 200);
  await until(async () => (await page.locator("#actions", { hasText: "Clear" }).count()) === 0, "the end of the override");
  await page.fill("#change-reason", "second");
  await page.locator("#change-confirm").click();
  await until(async () => (await page.locator("#change").isHidden()) || (await page.locator("#change-error").innerText()) !== "", "an end or an error");
  await page.keyboard.press("Escape");
  await until(async () => (await focused(page)).id === "detail-title", "the focus on what is left");
});

test("on a wall it is large, and axe finds nothing", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "20/s", "    slo: {objective: 99%, latency: 5s}")}`);
  const page = await open(t, e.url, { viewport: { width: 2560, height: 1440 }, bypassCSP: true });
  await drawn(page, "chart-day");
  await accessible(page, "wall");
  const size = await page.evaluate(() => ({ text: parseFloat(getComputedStyle(document.querySelector("#summary .value")).fontSize), wide: document.documentElement.scrollWidth, used: document.querySelector("main").getBoundingClientRect().width }));
  assert.ok(size.text >= 24 && size.wide <= 2560 && size.used > 2400, JSON.stringify(size));
  const box = await page.locator("#chart-latency").boundingBox();
  assert.ok(box.y + box.height <= 1440, "the charts are in sight");
});

test("a scenario that a reload removes is missed, and any address is taken", async (t) => {
  const url = await target(t, ok);
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", url)}${scenario("other", url)}`);
  const page = await open(t, `${e.url}#/scenario/shop`);
  await drawn(page, "chart-day");
  await e.write(`scenarios: ${scenario("other", url)}`);
  await until(async () => (await page.locator("#gone").innerText()).includes("no scenario shop"), "the notice");
  assert.ok(await page.locator("#detail").isHidden());
  await page.locator("#scenarios a").click();
  await until(async () => (await page.locator("#detail-title").innerText()) === "other" && (await page.locator("#gone").isHidden()), "the other one");
  for (const hash of ["#/scenario/%", "#/scenario/%E0%A4%A", "#/nowhere", "#x", "#/scenario/../../etc"]) {
    await page.goto(e.url + hash);
    await page.reload();
    await until(async () => (await page.locator("#pulse").innerText()) === "live", hash);
  }
});

test("names of any direction and length stay in their places", async (t) => {
  const url = await target(t, (_, response) => {
    response.statusCode = 500;
    response.end("\u202egnp.exe");
  });
  const names = { "name-1": "n".repeat(200), "name-2": "\u202eshop\u2066 שלום" };
  const e = await Exporter.start(t, `scenarios: ${Object.keys(names).map((name) => scenario(name, url)).join("")}`, { flags: ["--web.enable-control"] });
  for (const name of Object.keys(names)) {
    const set = await fetch(`${e.url}api/v1/scenarios/${name}/override`,
      { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ factor: 2, for: "2h", reason: "\u202eelas".padEnd(200, "x"), by: "שלום" }) });
    assert.ok([200, 400].includes(set.status), await set.text());
  }
  const page = await open(t, "about:blank", { own: e.url, viewport: { width: 390, height: 800 } });
  await page.route("**/api/v1/**", async (route) => { // The file takes no such names; the page must not rely on that.
    let url = route.request().url();
    for (const [name, other] of Object.entries(names)) url = url.replaceAll(encodeURIComponent(other), name).replaceAll(new URLSearchParams({ x: other }).toString().slice(2), name);
    const response = await route.fetch({ url });
    await route.fulfill({ response, body: (await response.text()).replaceAll(/name-[12]/g, (name) => names[name]) });
  });
  for (const name of Object.values(names)) {
    await page.goto(`${e.url}#/scenario/${encodeURIComponent(name)}`);
    await page.reload();
    await until(async () => (await page.locator("#detail-title").textContent()) === name, name);
    await drawn(page, "chart-day");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} makes the page wider`);
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("#detail-title")).unicodeBidi), "isolate");
    await page.getByRole("button", { name: "×2" }).click();
    assert.ok(await page.evaluate(() => document.querySelector("#change").scrollWidth <= innerWidth), `${name} makes the dialog wider`);
    await page.keyboard.press("Escape");
  }
  await page.goto(`${e.url}#/failures`);
  await page.locator("#failures summary").first().click();
  await until(async () => (await page.locator(".exchange").first().textContent()).includes(".gnp.exe"), "the exchange without what turns it");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "failures make the page wider");
});

test("times are the server's, in the scenario's zone, whatever the browser's clock and zone", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "2/s", "    time_zone: Asia/Kathmandu")}`, { flags: ["--web.enable-control"] });
  const set = await fetch(`${e.url}api/v1/scenarios/shop/override`,
    { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ factor: 2, for: "2h", reason: "clocks", by: "ada" }) });
  assert.equal(set.status, 200);
  const page = await open(t, "about:blank", { own: e.url, timezoneId: "America/St_Johns" });
  await page.addInitScript(() => { // A clock that is five hours ahead.
    const real = Date.now;
    Date.now = () => real() + 5 * 3600e3;
  });
  await page.goto(e.url);
  await drawn(page, "chart-day");
  await until(async () => /1 h 59 min left/.test(await page.locator("#override").innerText()), "the countdown");
  const zoned = (ms) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "Asia/Kathmandu" }).format(ms);
  await until(async () => (await page.locator("#detail-lead").innerText()).includes(zoned(Date.now())), "the time in Kathmandu");
});

test("a page that nobody sees asks for nothing, and goes on where it was", async (t) => {
  const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "20/s")}`);
  const page = await open(t, e.url);
  await drawn(page, "chart-rate");
  const hide = (hidden) => page.evaluate((h) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => h });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  let asked = 0;
  page.on("request", () => asked++);
  const due = await e.metric("traffic_slots_due_total");
  await until(async () => (await e.metric("traffic_slots_due_total")) > due + 100, "five seconds");
  assert.ok(asked <= 1, `${asked} requests`);
  await hide(false);
  await until(async () => Number((await page.locator('[data-total="Slots due"] dd').innerText()).replaceAll(",", "")) > due + 100, "what it missed");
});

const program = ["/usr/sbin/nginx", "/usr/bin/nginx"].find(existsSync);

// nginx serves the exporter below a path, as location says.
async function nginx(t, location) {
  const folder = await mkdtemp(join(tmpdir(), "traffic-page-"));
  const port = await freePort();
  await writeFile(join(folder, "nginx.conf"), `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen 127.0.0.1:${port}; absolute_redirect off; ${location} } }`);
  const p = spawn(program, ["-c", join(folder, "nginx.conf"), "-e", "stderr"], { stdio: "ignore" });
  const ended = new Promise((done) => p.on("error", done).on("exit", done));
  atEnd(t, async () => {
    p.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  return `http://127.0.0.1:${port}`;
}

for (const [name, flags, path, pass] of [
  ["keeps the path", ["--web.external-url=http://127.0.0.1/traffic/"], "/traffic/", ""],
  ["strips the path", ["--web.external-url=http://127.0.0.1/traffic/", "--web.route-prefix=/"], "/", "/"],
]) {
  test(`behind an nginx that ${name}, with a slash at its end and without`, { skip: !program && "there is no nginx" }, async (t) => {
    const e = await Exporter.start(t, `scenarios: ${scenario("shop", await target(t, ok), "2/s")}`, { flags: [...flags, "--web.enable-control"], path });
    const base = await nginx(t, `location /traffic/ { proxy_pass http://127.0.0.1:${e.port}${pass}; }`);
    await until(async () => (await fetch(`${base}/traffic/-/healthy`)).ok, "nginx");
    for (const at of ["/traffic/", "/traffic"]) {
      const page = await open(t, base + at, { own: base });
      await drawn(page, "chart-day");
      assert.equal(new URL(page.url()).pathname, "/traffic/");
      await page.reload();
      await drawn(page, "chart-day");
      await page.getByRole("link", { name: "Fleet" }).click();
      await page.waitForSelector("text=On its own");
      await page.getByRole("link", { name: "Failures" }).click();
      await page.waitForSelector("#view-failures:visible");
    }
  });
}
