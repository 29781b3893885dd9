// What the page costs, by real browsers: how long it takes from the start of the process to a chart, what
// ten open pages cost the exporter in processor time (from /proc), and whether an hour of polling, with the
// page's timers sped up, makes the exporter or the page grow.
//
//   TRAFFIC_PAGE_BINARY=./traffic_exporter node test/page/bench.mjs [SECONDS]
import { readFileSync } from "node:fs";
import { closeBrowser, drawn, Exporter, ok, open, scenario, target } from "./harness.mjs";

const seconds = Number(process.argv[2] ?? 30);
const pages = 10;
const hourly = 3600 / 1.5; // Polls of a page in an hour.
const ended = [];
const t = { after: (f) => ended.unshift(f) };
const sleep = (s) => new Promise((done) => setTimeout(done, s * 1000));
const ticks = (pid) => {
  const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(f[11]) + Number(f[12]); // In hundredths of a second.
};
const memory = (pid) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;
const all = (list) => list.map((v) => v.toFixed(1)).join(", ");

const url = await target(t, ok);
for (const n of [3, 100]) {
  const e = await Exporter.start(t, `scenarios: ${Array.from({ length: n }, (_, i) => scenario(`s-${i}`, url, "1/s")).join("")}`);
  const starts = [];
  const warm = await open(t, e.url);
  for (let i = 0; i < 5; i++) {
    await e.stop();
    await e.run();
    await warm.goto(e.url);
    await drawn(warm, "chart-day");
    starts.push(performance.now() - e.started);
  }
  await warm.close();
  console.log(`${n} scenarios: ${all(starts)} ms from the start of the process to a chart`);

  const { pid } = e.process;
  await sleep(5);
  const cpu = async () => {
    const before = ticks(pid);
    await sleep(seconds);
    return (ticks(pid) - before) / seconds;
  };
  const idle = await cpu();
  const opened = [];
  for (let i = 0; i < pages; i++) opened.push(await open(t, e.url));
  let polls = 0;
  for (const page of opened) page.on("request", (r) => r.url().includes("/api/v1/live") && polls++);
  await sleep(5);
  polls = 0;
  const watched = await cpu();
  console.log(`${n} scenarios: ${pages} open pages cost ${(watched - idle).toFixed(2)} % of a core by ${(polls / seconds).toFixed(1)} requests/s; without any it takes ${idle.toFixed(2)} %`);
  for (const page of opened) await page.close();

  const page = await open(t, "about:blank", { own: e.url });
  const devtools = await page.context().newCDPSession(page);
  const heap = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize / 2 ** 20;
  };
  await page.addInitScript(() => {
    const real = globalThis.setTimeout;
    globalThis.setTimeout = (f, ms, ...more) => real(f, ms / 100, ...more);
  });
  let count = 0;
  page.on("response", (r) => r.url().includes("/api/v1/live") && count++);
  await page.goto(e.url);
  const until = async (want) => {
    while (count < want) await sleep(0.2);
  };
  await until(hourly / 4);
  const [server, script] = [[memory(pid)], [await heap()]];
  for (let hour = 1; hour <= 2; hour++) {
    const from = count;
    await until(from + hourly);
    server.push(memory(pid));
    script.push(await heap());
  }
  console.log(`${n} scenarios: after 0, 1 and 2 hours of polls the exporter has ${all(server)} MiB, and the page's script ${all(script)} MiB`);
  await page.close();
  await e.stop();
}
for (const f of ended) await f().catch((err) => console.error(err.message));
await closeBrowser();
