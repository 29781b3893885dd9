// What the tests of the page share: processes, servers and a browser that notes whatever it
// should not do. Everything listens on loopback.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const binary = process.env.TRAFFIC_PAGE_BINARY;
const executablePath = process.env.TRAFFIC_PAGE_CHROMIUM || "/usr/bin/chromium";

const ends = new WeakMap();

// atEnd does something when a test has ended, before everything registered earlier: pages
// close before the servers that they poll.
export function atEnd(t, f) {
  if (!ends.has(t)) {
    ends.set(t, []);
    t.after(async () => {
      let wrong;
      for (const end of ends.get(t).reverse()) await Promise.resolve().then(end).catch((err) => (wrong ??= err));
      if (wrong) throw wrong;
    });
  }
  ends.get(t).push(f);
}

// until polls until f returns something true, or fails after a long time.
export async function until(f, what, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  for (let last; ; ) {
    try {
      const found = await f();
      if (found) return found;
    } catch (err) {
      last = err;
    }
    if (Date.now() > deadline) throw new Error(`${what} does not happen: ${last ?? "no"}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

// listening returns a server that listens on a port of loopback, or nothing if that is taken.
const listening = (port) =>
  new Promise((done) => {
    const s = createSocket();
    s.once("error", () => done(undefined));
    s.listen(port, "127.0.0.1", () => done(s));
  });

// block is this process's share of the ports below those that connections are given: the one of
// test/freeport, whose first port is its lock.
const block = { size: 256, next: 0, end: 0 };

async function claim() {
  const blocks = Math.floor((32768 - 10000) / block.size);
  const begin = Math.floor(Math.random() * blocks);
  for (let i = 0; i < blocks; i++) {
    const first = 10000 + ((begin + i) % blocks) * block.size;
    const lock = await listening(first);
    if (!lock) continue;
    lock.unref();
    block.next = first + 1;
    block.end = first + block.size;
    return;
  }
  throw new Error(`no block of ${block.size} ports is free`);
}

// freePort returns a port that nobody listens on, each once.
export async function freePort() {
  for (;;) {
    if (block.next === block.end) await claim();
    const port = block.next++;
    const s = await listening(port);
    if (!s) continue;
    await new Promise((done) => s.close(done));
    return port;
  }
}

// target starts a server that responds to every request as respond says.
export async function target(t, respond) {
  const s = createServer((request, response) => respond(request, response));
  await new Promise((done) => s.listen(0, "127.0.0.1", done));
  atEnd(t, () => {
    s.closeAllConnections();
    s.close();
  });
  return `http://127.0.0.1:${s.address().port}`;
}

export class Exporter {
  static async start(t, config, { flags = [], env = {}, path = "/", login } = {}) {
    const e = new Exporter();
    e.folder = await mkdtemp(join(tmpdir(), "traffic-page-"));
    e.file = join(e.folder, "config.yaml");
    e.flags = flags;
    e.env = env;
    e.path = path;
    e.login = login;
    await e.write(config);
    atEnd(t, async () => {
      await e.stop();
      await rm(e.folder, { recursive: true, force: true });
    });
    await e.run();
    return e;
  }

  async write(config) {
    await writeFile(this.file, config);
  }

  async run() {
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}${this.path}`;
    this.log = "";
    this.started = performance.now();
    this.process = spawn(binary, [`--config.file=${this.file}`, "--config.watch-interval=200ms", `--web.listen-address=127.0.0.1:${this.port}`, ...this.flags],
      { env: { ...process.env, ...this.env }, stdio: ["ignore", "ignore", "pipe"] });
    this.process.stderr.on("data", (b) => (this.log += b));
    this.ended = new Promise((done) => this.process.on("exit", done));
    await until(async () => {
      if (this.process.exitCode !== null) throw new Error(this.log);
      return (await fetch(`${this.url}-/healthy`, this.login && { headers: { Authorization: `Basic ${btoa(this.login)}` } })).ok;
    }, `start of the exporter (${this.log})`);
  }

  async stop(signal = "SIGKILL") {
    this.process.kill(signal);
    await this.ended;
  }

  async get(path) {
    return (await fetch(this.url + path)).text();
  }

  // metric returns the sum of the samples of a metric with these labels.
  async metric(name, labels = "") {
    const text = await this.get("metrics");
    let sum = 0;
    for (const line of text.split("\n")) {
      if ((line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(" ")));
    }
    return sum;
  }
}

// fleetOf starts a fleet of n replicas that send these scenarios.
export async function fleetOf(t, n, scenarios) {
  const ports = [];
  for (let i = 0; i < n; i++) ports.push(await freePort());
  const join = JSON.stringify(ports.map((p) => `127.0.0.1:${p}`));
  const all = [];
  for (let i = 0; i < n; i++) {
    all.push(await Exporter.start(t, `fleet: {name: "replica-${i}", cluster: page, listen: "127.0.0.1:${ports[i]}", join: ${join}, start_alone_after: 0s}
scenarios: ${scenarios}`));
  }
  return all;
}

let browser;

export async function closeBrowser() {
  await browser?.close();
}

// open opens a page that fails its test for errors of any kind, for requests to other hosts, and
// for violations of the policy.
export async function open(t, url, { own = url, ...options } = {}) {
  browser ??= await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && !page.forgiven?.test(m.text()) && wrong.push(`console: ${m.text()}`));
  page.on("pageerror", (err) => wrong.push(`error: ${err.stack}`));
  page.on("dialog", (d) => (wrong.push(`dialog: ${d.message()}`), d.dismiss()));
  page.on("request", (r) => new URL(r.url()).origin !== new URL(own).origin && wrong.push(`foreign request: ${r.url()}`));
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (e) => globalThis.violations.push(`${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
  });
  atEnd(t, async () => {
    wrong.push(...(await page.evaluate(() => globalThis.violations).catch(() => [])));
    await context.close();
    if (wrong.length) throw new Error(wrong.join("\n"));
  });
  await page.goto(url);
  return page;
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// accessible fails where axe finds something. The page has to be opened with bypassCSP.
export async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(" | ")}`), []);
}

// figure returns the text of a figure of the chosen scenario.
export const figure = (page, name) => page.locator(`#detail-figures [data-figure="${name}"] .value`).innerText();

// total returns a count of the chosen scenario since the start.
export const total = (page, name) => page.locator(`[data-total="${name}"] dd`).innerText();

// ok is a target that is well.
export const ok = (_, response) => response.end("ok");

// scenario is one in the configuration.
export const scenario = (name, url, rate = "20/s", more = "") => `
  - name: ${JSON.stringify(name)}
    rate: ${rate}
    requests: [{name: get, url: ${JSON.stringify(url)}}]
${more}`;

// drawn waits until a chart has something on its canvas.
export const drawn = (page, id) => page.waitForFunction((at) => {
  const canvas = document.querySelector(`#${at} canvas`);
  if (!canvas?.width) return false;
  return new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer).some((v) => v !== 0);
}, id);
