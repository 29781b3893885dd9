// What browsers cost the exporter: ten of them poll it, as the page does, and its CPU time is read
// from /proc. Then an hour of polling, as fast as it goes, must not make it grow.
//
//   TRAFFIC_PAGE_BINARY=./traffic_exporter node test/page/bench.mjs [SECONDS]
import { readFileSync } from "node:fs";
import { Exporter, ok, scenario, target } from "./harness.mjs";

const seconds = Number(process.argv[2] ?? 30);
const ended = [];
const t = { after: (f) => ended.unshift(f) };
const sleep = (s) => new Promise((done) => setTimeout(done, s * 1000));
const ticks = (pid) => {
  const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(f[11]) + Number(f[12]);
};
const memory = (pid) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;

const url = await target(t, ok);
for (const n of [3, 100]) {
  const e = await Exporter.start(t, `scenarios: ${Array.from({ length: n }, (_, i) => scenario(`s-${i}`, url, "1/s")).join("")}`);
  const { pid } = e.process;
  await sleep(5);
  const cpu = async (work) => {
    const before = ticks(pid);
    const stop = work?.();
    await sleep(seconds);
    stop?.();
    return ticks(pid) - before; // Ticks are hundredths of a second.
  };
  const idle = await cpu();
  const browsers = await cpu(() => {
    const timers = Array.from({ length: 10 }, () => {
      let since = "";
      return setInterval(async () => {
        const l = (await (await fetch(`${e.url}api/v1/live?match=&scenario=s-0${since}`)).json()).data;
        since = `&since=${l.detail.seconds.from + l.detail.seconds.len - 60}`;
      }, 1500);
    });
    return () => timers.forEach(clearInterval);
  });
  console.log(`${n} scenarios: ten browsers cost ${((browsers - idle) / seconds).toFixed(2)} % of a core (without any it takes ${(idle / seconds).toFixed(2)} %)`);
  const polls = async (count) => {
    for (let i = 0; i < count; i++) await (await fetch(`${e.url}api/v1/live?match=&scenario=s-0&since=${Math.floor(Date.now() / 1000) - 60}`)).text();
  };
  await polls(500);
  const grown = [memory(pid)];
  for (let hour = 0; hour < 3; hour++) {
    await polls(2400);
    grown.push(memory(pid));
  }
  console.log(`${n} scenarios: ${grown.map((m) => m.toFixed(1)).join(", ")} MiB at the start and after one, two and three hours' polls`);
}
for (const f of ended) await f();
