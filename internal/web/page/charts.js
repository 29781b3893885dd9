// The charts of one scenario, drawn by uPlot, and the small ones of the list.
import { $, clock, duration, make, now, rate, significant, write } from "./format.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

// Colours that differ visibly in both themes and by people who see fewer of them (Okabe and Ito).
const light = { text: "#5d6878", line: "#e9ecf0", main: "#1d5fb8", soft: "#9aa4b4", second: "#b93c19", slo: "#b3261e", now: "#1b222d" };
const night = { text: "#9aa4b4", line: "#252b35", main: "#7fb3ff", soft: "#667080", second: "#ff8a61", slo: "#ff938a", now: "#e4e8ef" };
const reasons = ["#d55e00", "#0072b2", "#cc79a7", "#009e73", "#e69f00", "#56b4e9", "#8c6bb1", "#a0785a", "#5b8c5a", "#b2182b"];
export const colours = () => (dark.matches ? night : light);

// known orders reasons, so that each keeps its colour.
const known = ["status", "timeout", "reset", "refused", "dns", "tls", "connect_timeout", "check", "protocol", "local", "denied", "canceled",
  "in_flight", "rate_cap", "late", "back_off", "daily_limit", "journeys", "no_token", "no_session", "no_descriptors", "shutdown"];
const reasonColour = (name) => reasons[Math.max(0, known.indexOf(name)) % reasons.length];

const charts = new Map();

// plot draws columns into an element, and draws anew when the kind changes.
function plot(id, kind, data, options) {
  const at = $(id);
  const old = charts.get(id);
  if (old && old.kind === kind) {
    old.chart.setData(data);
    return;
  }
  if (old) old.chart.destroy();
  at.replaceChildren();
  const c = colours();
  const font = '11px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif';
  const axis = { stroke: c.text, font, grid: { stroke: c.line, width: 1 }, ticks: { show: false }, gap: 6 };
  const chart = new uPlot({
    width: Math.max(50, at.clientWidth), height: at.clientHeight,
    padding: [14, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    tzDate: (t) => uPlot.tzDate(new Date(t * 1e3), options.zone),
    axes: [{ ...axis, grid: { show: false }, size: 26, space: options.space ?? 60, values: options.times }, { ...axis, size: 52, space: 32, values: (_, v) => v.map(options.format) }],
    scales: { x: { range: options.range }, y: { range: (_, low, high) => [0, Math.max(options.least ?? 0, high > 0 ? high * 1.08 : 1)] } },
    ...options.more,
    series: [{}, ...options.series.map((s) => ({ width: 1.5, points: { show: false }, spanGaps: false, ...s }))],
    hooks: { setCursor: [(u) => options.legend(u.cursor.idx ?? null)], draw: options.draw ? [options.draw] : [] },
  }, data, at);
  charts.set(id, { chart, kind });
  options.legend(null);
  reachable(at, chart);
}

// reachable lets a chart be read without a pointer: the arrows move through its points, whose values
// its key shows and screen readers announce.
function reachable(at, chart) {
  const key = at.parentElement.querySelector(".key");
  at.setAttribute("role", "img");
  at.tabIndex = 0;
  at.setAttribute("aria-label", `${at.parentElement.querySelector("h2").textContent}: ${key.textContent}. The arrow keys move through its values.`);
  at.onkeydown = (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[e.key];
    const last = chart.data[0].length - 1;
    if (!step || last < 0) return;
    e.preventDefault();
    const to = Math.min(last, Math.max(0, (chart.cursor.idx ?? (step < 0 ? last + 1 : -1)) + step));
    chart.setCursor({ left: chart.valToPos(chart.data[0][to], "x"), top: 0 });
    write($("reader"), [...key.children].map((c) => c.textContent).join(", "));
  };
  at.onblur = () => chart.setCursor({ left: -10, top: -10 });
}

// legend writes what lines mean into the key of a chart, and their values where the pointer is.
function legend(id, entries) {
  const key = $(id);
  key.replaceChildren(...entries.map(([colour, name, value, block]) => {
    const swatch = make("i", { class: block ? "block" : "" });
    swatch.style.background = colour;
    return make("span", {}, swatch, value === undefined ? name : `${name} ${value}`);
  }));
}

// line draws a vertical or a horizontal line with a name.
function line(u, at, name, colour, horizontal) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const p = Math.round(u.valToPos(at, horizontal ? "y" : "x", true)) + 0.5;
  if (horizontal ? p < bbox.top || p > bbox.top + bbox.height : p < bbox.left || p > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash(horizontal ? [5 * ratio, 4 * ratio] : []);
  ctx.beginPath();
  if (horizontal) {
    ctx.moveTo(bbox.left, p);
    ctx.lineTo(bbox.left + bbox.width, p);
  } else {
    ctx.moveTo(p, bbox.top);
    ctx.lineTo(p, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.font = `${11 * ratio}px system-ui, "Liberation Sans", sans-serif`;
  if (horizontal) ctx.fillText(name, bbox.left + 6 * ratio, p - 4 * ratio);
  else ctx.fillText(name, p + 5 * ratio, bbox.top + 10 * ratio);
  ctx.restore();
}

// stacked returns columns on top of each other, the last one first, for areas that are drawn from
// the back.
function stacked(columns) {
  const sums = [];
  columns.forEach((column, i) => sums.push(column.map((v, at) => (v ?? 0) + (i ? sums[i - 1][at] : 0))));
  return sums.reverse();
}

// between fills the areas between columns on top of each other, each in its reason's colour.
const between = (names) => names.map((name, i) => ({ series: [i + 1, i + 2], fill: `${reasonColour(name)}99` }));

const hours = (zone) => (_, splits) => splits.map((t) => clock(new Date(t * 1e3), zone, splits.some((s) => s % 60)));

// drawDay draws today and tomorrow: the target, sent and dropped slots.
export function drawDay(s, h) {
  const { from, until, end, step, target } = h;
  const n = target.length;
  const times = Array.from({ length: n }, (_, i) => from + i * step);
  const today = target.map((v, i) => (times[i] <= until ? v : null));
  const tomorrow = target.map((v, i) => (times[i] >= until ? v : null));
  const points = h.minutes;
  const bins = (column) => {
    const sum = new Array(n).fill(0);
    const counted = new Array(n).fill(0);
    (points.columns[column] ?? []).forEach((v, i) => {
      const at = Math.floor((points.from + i * points.step - from) / step);
      if (at >= 0 && at < n && v !== null) {
        sum[at] += v / points.step;
        counted[at]++;
      }
    });
    return [sum, counted];
  };
  const [sent, minutes] = bins("sent");
  const delivered = sent.map((v, i) => (minutes[i] ? v / minutes[i] : null));
  const drops = Object.keys(points.columns).filter((c) => c.startsWith("dropped:")).sort();
  const dropped = drops.map((c) => bins(c)[0].map((v, i) => (minutes[i] ? v / minutes[i] : null)));
  // Drops are shaded on top of the sent slots.
  const areas = stacked([delivered, ...dropped]).slice(0, drops.length).map((column) => column.map((v, i) => (minutes[i] ? v : null)));
  const names = drops.map((c) => c.slice("dropped:".length)).reverse();
  const c = colours();
  const o = s.override;
  plot("chart-day", `${h.name} ${h.shape} ${names} ${dark.matches} ${o ? o.until : ""}`, [times, ...areas, delivered, today, tomorrow], {
    zone: s.time_zone, times: hours(s.time_zone), format: rate, range: () => [from, end], space: innerWidth < 640 ? 44 : 70,
    series: [
      ...names.map(() => ({ stroke: "transparent", width: 0 })),
      { stroke: c.main, fill: `${c.main}40`, width: 1.5, points: { show: (_, at) => minutes.filter(Boolean).length < 2, size: 5, fill: c.main } },
      { stroke: c.second, width: 1.5 },
      { stroke: c.second, width: 1.25, dash: [4, 4] },
    ],
    more: { bands: between(names) },
    draw: (u) => {
      if (o && !o.clear) band(u, Date.parse(o.from) / 1e3, Date.parse(o.until) / 1e3, c.main);
      line(u, until, innerWidth < 640 ? "" : "tomorrow", c.soft);
      line(u, now(), "now", c.now);
    },
    legend: (at) => legend("day-key", [
      [c.second, "target", at === null ? undefined : rate(target[at])],
      [c.main, h.summed ? "delivered by the fleet" : "delivered", at === null ? undefined : rate(delivered[at]), true],
      ...names.map((name, i) => [reasonColour(name), `dropped: ${name}`, undefined, true]),
      ...(at === null ? [] : [["transparent", clock(new Date(times[at] * 1e3), s.time_zone, false)]]),
    ]),
  });
}

// band shades the time of an override.
function band(u, from, until, colour) {
  const { ctx, bbox } = u;
  const left = Math.max(bbox.left, u.valToPos(from, "x", true));
  const right = Math.min(bbox.left + bbox.width, u.valToPos(until, "x", true));
  if (right <= left) return;
  ctx.save();
  ctx.fillStyle = `${colour}26`;
  ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  ctx.restore();
}

// drawRecent draws the figures of each second or minute.
export function drawRecent(s, h, kind) {
  const p = h[kind];
  const times = Array.from({ length: p.len }, (_, i) => p.from + i * p.step);
  const empty = new Array(p.len).fill(null);
  const column = (name) => p.columns[name] ?? empty;
  const c = colours();
  const long = kind === "minutes" ? 86400 : 900;
  const range = () => {
    const last = times.at(-1) ?? now();
    return [Math.max(last - long, Math.min(times[0] ?? last, last - (kind === "minutes" ? 3600 : 120))), last];
  };
  const common = { zone: s.time_zone, times: hours(s.time_zone), range };
  const kindOf = (more) => `${h.name} ${kind} ${dark.matches} ${more}`;
  const draw = (id, key, data, lines, format, more = {}) => plot(id, kindOf(`${lines.map((l) => l.name)} ${more.kind}`), [times, ...data], {
    ...common, format, ...more, series: lines.map((l) => l.series),
    legend: (at) => {
      const shown = charts.get(id)?.chart.data ?? [times, ...data];
      legend(key, [...lines.filter((l) => l.name).map((l, i) => [l.colour, l.name, at === null ? undefined : format(l.value ? l.value(shown, at) : shown[lines.indexOf(l) + 1][at]), l.block]),
        ...(at === null || !shown[0][at] ? [] : [["transparent", clock(new Date(shown[0][at] * 1e3), s.time_zone, kind === "seconds")]])]);
    },
  });
  const per = (v) => (v === null || v === undefined ? null : v / p.step);

  const sent = column("sent").map(per);
  const reasonsOf = (prefix) => Object.keys(p.columns).filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length)).sort();
  const drops = reasonsOf("dropped:");
  // Where a point is of this replica alone, so is its target.
  const share = s.target_rate ? s.share_rate / s.target_rate : 1;
  const fleet = column("fleet");
  const target = column("target").map((v, i) => (v === null ? null : fleet[i] ? v : v * share));
  const layers = stacked([sent, ...drops.map((n) => column(`dropped:${n}`).map(per))]).slice(0, drops.length);
  draw("chart-rate", "rate-key", [...layers, sent, target], [
    ...[...drops].reverse().map((name) => ({ name, colour: reasonColour(name), block: true, series: { stroke: "transparent", width: 0 },
      value: (_, at) => per(column(`dropped:${name}`)[at]) })),
    { name: "delivered", colour: c.main, block: true, series: { stroke: c.main, fill: `${c.main}40` } },
    { name: "target", colour: c.second, series: { stroke: c.second } },
  ], rate, { more: { bands: between([...drops].reverse()) } });

  const slo = s.slo?.latency;
  draw("chart-latency", "latency-key", [column("p50"), column("p99")], [
    { name: "p50", colour: c.soft, series: { stroke: c.soft, points: { show: dots } } },
    { name: "p99", colour: c.main, series: { stroke: c.main, points: { show: dots } } },
  ], duration, { kind: `${slo}`, least: slo ? slo * 1.15 : 0, draw: (u) => slo && line(u, slo, `SLO ${duration(slo)}`, c.slo, true) });

  const failed = reasonsOf("failed:");
  const failures = stacked(failed.map((n) => column(`failed:${n}`).map((v, i) => (column("ended")[i] === null ? null : per(v)))));
  draw("chart-failures", "failures-key", failed.length ? failures : [empty], failed.length
    ? [...failed].reverse().map((name, i) => ({ name, colour: reasonColour(name), block: true, series: { stroke: reasonColour(name), width: 1, fill: i === failed.length - 1 ? `${reasonColour(name)}99` : undefined },
      value: (_, at) => per(column(`failed:${name}`)[at]) }))
    : [{ name: "none", colour: c.soft, series: { stroke: c.soft }, value: () => 0 }], rate, { more: { bands: between([...failed].reverse()).slice(0, -1) } });

  draw("chart-delay", "delay-key", [column("delay")], [
    { name: "p99 of this replica", colour: c.main, series: { stroke: c.main, points: { show: dots } } },
  ], duration, { least: 0.001 });

  $("users-card").hidden = !s.users && s.users !== 0;
  if (!$("users-card").hidden) {
    draw("chart-users", "users-key", [column("users")], [{ name: "journeys in progress", colour: c.main, series: { stroke: c.main, fill: `${c.main}30` } }], significant);
  }
}

// dots shows points where there are so few that lines between them could not be seen.
const dots = (u, at) => u.data[at].length < 3;

// small draws the day of a scenario of the list.
export function small(canvas, day) {
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  const c = colours();
  const top = Math.max(1e-9, ...day.target, ...day.sent.map((v) => v ?? 0));
  const x = (i) => (i / (day.target.length - 1)) * (width - 2) + 1;
  const y = (v) => height - 2 - (v / top) * (height - 5);
  ctx.fillStyle = `${c.main}60`;
  const w = width / day.sent.length;
  day.sent.forEach((v, i) => v !== null && ctx.fillRect(i * w, y(v), Math.max(1, w - 0.5), height - 2 - y(v) + 1));
  ctx.strokeStyle = c.soft;
  ctx.lineWidth = 1.25;
  ctx.beginPath();
  day.target.forEach((v, i) => (i ? ctx.lineTo(x(i), y(v)) : ctx.moveTo(x(i), y(v))));
  ctx.stroke();
}

// resized fits the charts to the page.
export function resized() {
  for (const [id, { chart }] of charts) {
    const at = $(id);
    if (at.clientWidth) chart.setSize({ width: at.clientWidth, height: at.clientHeight });
  }
}

// redraw forgets the charts: the colours have changed.
export function onTheme(f) {
  dark.addEventListener("change", f);
}
