// The live page: it asks the server for new data, and draws it.
import { $, clock, count, dateOf, duration, durationParts, make, now, percent, rate, rateParts, serverIs, significant, span, write } from "./format.js";
import { drawDay, drawRecent, onTheme, resized, small } from "./charts.js";
import * as control from "./control.js";

const every = 1500;
// kept are the most points that are kept of a series, as on the server.
const kept = { seconds: 900, minutes: 1440 };

const state = { view: "live", scenario: "", match: "", span: "seconds", history: null, live: null, timer: 0, drawn: "" };

// load gets a response of the API.
async function load(path, query = {}) {
  const response = await fetch(`${path}?${new URLSearchParams(query)}`, { headers: { Accept: "application/json" } });
  const answer = await response.json().catch(() => ({ error: `${response.status} ${response.statusText}` }));
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data;
}

// poll asks for new data, and again after a while. Pages that nobody sees do not ask.
async function poll() {
  clearTimeout(state.timer);
  if (document.hidden || state.view === "config") return;
  const mine = {};
  state.poll = mine;
  try {
    if (state.view === "failures") await failures();
    await live();
    pulse(true);
  } catch (err) {
    pulse(false, err.message);
  }
  if (state.poll === mine) state.timer = setTimeout(poll, every);
}

function pulse(on, why) {
  const p = $("pulse");
  p.className = on ? "pulse on" : "pulse off";
  write(p, on ? "live" : "no response");
  p.title = on ? "" : why;
}

async function live() {
  const h = state.history;
  const query = { match: state.match };
  if (state.scenario) query.scenario = state.scenario;
  if (h && h.name === state.scenario) query.since = h.next;
  const l = await load("api/v1/live", query);
  if (query.scenario !== (state.scenario || undefined)) return; // Another one was chosen meanwhile.
  state.live = l;
  serverIs(l.now);
  if (h && query.since > now()) { // Its clock was set back.
    state.history = null;
    return live();
  }
  if (!state.scenario && l.scenarios.length > 0) {
    choose(l.scenarios[0].name);
    return live();
  }
  if (l.detail && !take(l.detail, query.since !== undefined)) {
    state.history = null;
    return live();
  }
  draw();
}

// take adds new points to the history. It returns false if all has to be asked for again.
function take(d, more) {
  if (!more) {
    state.history = d;
  } else {
    const h = state.history;
    if (d.shape !== h.shape) return false;
    for (const kind of ["seconds", "minutes"]) append(h[kind], d[kind], kept[kind]);
    Object.assign(h, { steps: d.steps, members: d.members });
  }
  const h = state.history;
  h.summed = Boolean(state.live.fleet?.summed);
  h.next = h.seconds.len ? Math.max(0, h.seconds.from + h.seconds.len - 60) : 0;
  return true;
}

// append adds points behind others, in the place of those of the same time.
function append(to, from, most) {
  if (!from.len) return;
  if (!to.len || from.from > to.from + to.len * to.step || from.from < to.from) {
    Object.assign(to, from);
    return;
  }
  const keep = Math.max(0, (from.from - to.from) / to.step);
  const cut = Math.max(0, keep + from.len - most);
  for (const name of new Set([...Object.keys(to.columns), ...Object.keys(from.columns)])) {
    const old = to.columns[name] ?? new Array(keep).fill(null);
    const fresh = from.columns[name] ?? new Array(from.len).fill(null);
    to.columns[name] = old.slice(cut, keep).concat(fresh);
  }
  to.len = keep - cut + from.len;
  to.from += cut * to.step;
}

function draw() {
  const l = state.live;
  document.title = `${l.troubled ? `(${l.troubled}) ` : ""}traffic_exporter`;
  notices(l);
  write($("foot"), `traffic_exporter ${l.version} · replica ${l.replica} · counting for ${span((Date.parse(l.now) - Date.parse(l.started)) / 1e3)} · configuration ${l.reload.hash.slice(0, 12)} since ${dateOf(new Date(l.reload.applied), "UTC")} ${clock(new Date(l.reload.applied), "UTC")} UTC`);
  if (state.view !== "live") return;
  summary(l);
  members(l);
  list(l);
  detail(l);
}

// notices are the problems shown on every view.
function notices(l) {
  const all = [];
  if (l.dry_run) all.push(make("div", { class: "notice warn", id: "dry-run" }, make("b", {}, "This is a dry run: "), "nothing is sent to the targets of the file, and responses are not judged."));
  if (l.ready) all.push(make("div", { class: "notice warn" }, make("b", {}, "This replica is not ready: "), l.ready));
  if (l.reload.errors.length) {
    all.push(make("div", { class: "notice", id: "reload-failed" }, make("b", {}, `The last reload failed at ${clock(new Date(l.reload.at), "UTC")} UTC. `),
      "The configuration before it goes on.", make("ul", {}, ...l.reload.errors.map((e) => make("li", {}, e)))));
  }
  if (l.fleet && !l.fleet.summed) all.push(make("div", { class: "notice warn", id: "one-replica" }, make("b", {}, "Figures are of this replica only: "), `${l.fleet.note}.`));
  const text = all.map((n) => n.textContent).join("\n");
  if ($("notices").dataset.text === text) return;
  $("notices").dataset.text = text;
  $("notices").replaceChildren(...all);
}

// figures puts figures into a grid, and changes only their texts where they are the same ones.
function figures(at, all) {
  if (at.children.length !== all.length) {
    at.replaceChildren(...all.map(() => make("div", {}, make("div", { class: "name" }), make("div", { class: "value" }, make("span"), make("span", { class: "unit" })), make("div", { class: "note" }))));
  }
  all.forEach(([name, [value, unit], note, tone], i) => {
    const f = at.children[i];
    f.className = `figure ${tone ?? ""}`;
    f.dataset.figure = name;
    write(f.children[0], name);
    write(f.children[1].children[0], value);
    write(f.children[1].children[1], unit);
    write(f.children[2], note ?? "");
  });
}

const ratio = (a, b) => (b > 0 ? a / b : null);

function summary(l) {
  const s = l.sums;
  const failed = ratio(s.failed, s.ended);
  figures($("summary"), [
    ["Scenarios", [count(l.count), ""], l.troubled ? `${l.troubled} need a look` : "all as they should be", l.troubled ? "warn" : ""],
    ["Delivered", rateParts(s.sent), `target ${rate(s.target)}`],
    ["Dropped", rateParts(s.dropped), "slots that were not sent", s.dropped - s.day_limited > 0.05 * s.target ? "bad" : ""],
    ["Failed", [percent(failed), ""], `${rate(s.failed)} of ${rate(s.ended)}`, failed > 0.05 ? "bad" : ""],
    ["Worst p99", durationParts(s.p99 || null), "from the due time"],
  ]);
}

const tones = { live: "ok", joining: "new", leaving: "warn", lost: "bad", "taken over": "bad" };

function members(l) {
  const at = $("members");
  at.hidden = !l.fleet;
  if (!l.fleet) return;
  const f = l.fleet;
  const all = f.members.map((m) => make("div", { class: m.id === f.self ? "member self" : "member", title: m.id },
    make("b", {}, m.name), make("span", { class: `pill ${tones[m.state] ?? ""}` }, m.state), " ",
    make("span", {}, `${percent(m.share)} · ${rate(m.sent)}${m.id === f.self ? " · this one" : ""}${m.same_config ? "" : " · another configuration"}`)));
  const text = all.map((m) => m.textContent).join("\n");
  if (at.dataset.text === text) return;
  at.dataset.text = text;
  at.replaceChildren(...all);
}

const troubleTone = (t) => (t === "failing" || t === "out of budget" || t === "dropping" ? "bad" : "warn");

function list(l) {
  $("match").hidden = l.count < 8 && !state.match;
  const at = $("scenarios");
  const rows = new Map([...at.children].map((li) => [li.dataset.name, li]));
  const wanted = l.scenarios.map((s) => {
    const li = rows.get(s.name) ?? row(s.name);
    const a = li.firstElementChild;
    const [who, figure, canvas, line] = a.children;
    const [name, pill] = who.children;
    write(name, s.name);
    write(figure.firstElementChild, rate(s.sent));
    write(figure.lastElementChild, ` / ${rate(s.target)}`);
    write(line.children[0], `p50 ${duration(s.p50)}`);
    write(line.children[1], `p99 ${duration(s.p99)}`);
    write(line.children[2], `${percent(ratio(s.failed, s.ended))} failed`);
    const planned = s.day_limited > 0 ? "day's limit" : s.override?.active ? "override" : "";
    pill.className = `pill ${s.trouble ? troubleTone(s.trouble) : planned ? "new" : "ok"}`;
    write(pill, s.trouble || planned || "ok");
    if (s.name === state.scenario) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
    const day = JSON.stringify(s.day) + canvas.clientWidth + state.theme;
    if (li.drawn !== day) {
      li.drawn = day;
      requestAnimationFrame(() => small(canvas, s.day));
    }
    return li;
  });
  if (wanted.length !== at.children.length || wanted.some((li, i) => at.children[i] !== li)) at.replaceChildren(...wanted);
  $("more").hidden = l.scenarios.length >= l.count;
  write($("more"), `${l.scenarios.length} of ${count(l.count)} scenarios, those that need a look first. Filter by name to see others.`);
}

function row(name) {
  const a = make("a", { class: "row", href: `#/scenario/${encodeURIComponent(name)}` },
    make("span", { class: "who" }, make("span", { class: "name" }), make("span", { class: "pill" })), make("span", { class: "rate" }, make("span"), make("small")),
    make("canvas", { role: "img", "aria-label": "Today: target and what was delivered" }),
    make("span", { class: "line" }, make("span"), make("span"), make("span")));
  const li = make("li", {}, a);
  li.dataset.name = name;
  return li;
}

function detail(l) {
  const s = l.scenarios.find((x) => x.name === state.scenario);
  const h = state.history;
  const at = $("detail");
  const shown = Boolean(s && h && h.name === s.name);
  at.hidden = !shown;
  $("gone").hidden = shown || Boolean(s) || !state.scenario;
  write($("gone"), $("gone").hidden ? "" : `There is no scenario ${state.scenario}, or not any more. Choose one of the list.`);
  if (!shown) return;
  write($("detail-title"), s.name);
  const today = new Date(now() * 1e3);
  write($("detail-lead"), `${dateOf(today, s.time_zone)}, ${clock(today, s.time_zone, false)} in ${s.time_zone}${s.max_rate ? ` · at most ${rate(s.max_rate)}` : ""}`);
  control.actions(s, l.control, poll);
  override(s);
  follow(s);
  const failed = ratio(s.failed, s.ended);
  const b = s.slo;
  const whose = h.summed || !l.fleet ? "" : ", this replica";
  const all = [
    ["Delivered", rateParts(s.sent), `target ${rate(s.target)}${whose}`],
    ["Failed", [percent(failed), ""], rate(s.failed), s.trouble === "failing" ? "bad" : ""],
    ["p50", durationParts(s.p50), "from the due time"],
    ["p99", durationParts(s.p99), b ? `SLO ${duration(b.latency)}` : "from the due time", b && s.p99 > b.latency ? "bad" : ""],
    ["Send delay p99", durationParts(s.delay), `${trust(s.delay)}${h.summed ? " (worst member)" : ""}`, s.delay > 0.05 ? "warn" : ""],
  ];
  if (b) {
    all.push(["Error budget left", [percent(b.left), ""], `${percent(b.objective)} over the last ${window(l, b)}${whose}`, b.left < 0 ? "bad" : b.left < 0.25 ? "warn" : ""]);
  }
  if (s.users !== null) all.push(["Users", [count(s.users), ""], `journeys in progress${whose}`]);
  figures($("detail-figures"), all);
  write($("span-note"), h.seconds.len < 60 && l.count > 100 ? "There are more than 100 scenarios: seconds are kept for a short while only." : "");
  drawDay(s, h);
  drawRecent(s, h, state.span);
  write($("steps-title"), `Requests, last 15 minutes${l.fleet ? ", of this replica" : ""}`);
  steps(s, h);
  parts(s, h);
  totals(s);
}

// window is how long an error budget is over. Members that have counted for less make it a range.
function window(l, b) {
  const [longest, shortest] = [b.since, b.whole].map((t) => span((Date.parse(l.now) - Date.parse(t)) / 1e3));
  return Date.parse(b.whole) - Date.parse(b.since) > 60_000 ? `${shortest} to ${longest}, by member` : longest;
}

const trust = (d) => (d === null ? "nothing was sent" : d < 0.005 ? "yes, it sends on time" : d < 0.05 ? "mostly, a little late" : "no, it sends late");

function override(s) {
  const o = s.override;
  const at = $("override");
  at.hidden = !o;
  if (!o) return;
  const from = Date.parse(o.from) / 1e3;
  const what = o.clear ? "Back to the file's rate" : o.rate !== undefined ? `Override: ${rate(o.rate)}` : o.factor === 0 ? "Paused" : `Override: ×${significant(o.factor)}`;
  const capped = o.capped ? ` (held at max_rate ${rate(s.max_rate)})` : "";
  const until = from > now() ? `begins in ${span(from - now())}` : o.clear ? "" : `${span(Date.parse(o.until) / 1e3 - now())} left, until ${clock(new Date(o.until), s.time_zone)}`;
  const text = `${what}${capped}\n${o.reason}\n${o.by}\n${until}`;
  if (at.dataset.text === text) return;
  at.dataset.text = text;
  at.replaceChildren(make("b", {}, what + capped), make("span", {}, o.reason), make("span", {}, o.by ? `by ${o.by}` : ""), make("span", { class: "until" }, until));
}

// follow says where a rate comes from that is followed.
function follow(s) {
  const f = s.follow;
  const at = $("follow");
  at.hidden = !f;
  if (!f) return;
  const what = f.rate === null ? `No rate to follow: otherwise ${rate(s.file_rate)}` : `Follows ${rate(f.rate)}`;
  const found = f.found_at ? `found ${span(Math.max(0, now() - Date.parse(f.found_at) / 1e3))} ago${f.found_on ? ` by ${f.found_on}` : ""}` : "none was found yet";
  const over = s.override?.active ? "The override has the last word until it is removed." : "";
  write(at, [what, found, over, f.failure ?? ""].filter(Boolean).join(" · "));
}

// table fills a table's rows, if something in them has changed.
function table(at, head, rows) {
  const text = JSON.stringify([head, rows]);
  if (at.dataset.text === text) return;
  at.dataset.text = text;
  const cell = (tag, v, i) => make(tag, { class: head[i][1] ? "num" : undefined, scope: tag === "th" ? "col" : undefined }, v instanceof Object ? meter(v) : v);
  at.replaceChildren(make("thead", {}, make("tr", {}, ...head.map(([name], i) => cell("th", name, i)))),
    make("tbody", {}, ...rows.map((r) => make("tr", {}, ...r.map((v, i) => cell("td", v, i))))));
}

const meter = (v) => make("meter", { min: 0, max: 1, value: v.value, "aria-label": v.label });

// steps are the requests of the mix: of journeys, how many users get how far.
function steps(s, h) {
  const funnel = h.steps.some((q) => q.name.includes("/"));
  const journey = (name) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "");
  const first = new Map();
  for (const q of h.steps) if (!first.has(journey(q.name))) first.set(journey(q.name), q.ended);
  const all = Math.max(1, ...h.steps.map((q) => q.ended));
  table($("steps"), [["Request"], ["Share"], ["Sent", true], ...(funnel ? [["Of users", true]] : []), ["Failed", true]], h.steps.map((q) => {
    const of = journey(q.name) ? first.get(journey(q.name)) : 0;
    return [q.name, { value: q.ended / all, label: `${q.name}: ${count(q.ended)}` }, count(q.ended), ...(funnel ? [of ? percent(q.ended / of) : ""] : []), percent(ratio(q.failed, q.ended))];
  }));
}

// parts shows what each member of the fleet adds to the figures.
function parts(s, h) {
  $("parts-card").hidden = h.members.length === 0;
  const more = [...(s.users === null ? [] : [["Users", (m) => count(m.users)]]), ...(s.slo ? [["Budget", (m) => percent(m.left)]] : [])];
  table($("parts"), [["Member"], ["Sent", true], ["Failed", true], ["Dropped", true], ["p50", true], ["p99", true], ["Delay", true], ...more.map(([name]) => [name, true])],
    h.members.map((m) => [m.name || m.id, rate(m.sent), percent(ratio(m.failed, m.ended)), rate(m.dropped), duration(m.p50), duration(m.p99), duration(m.delay), ...more.map(([, of]) => of(m))]));
}

function totals(s) {
  const t = s.totals;
  const sum = (o) => Object.values(o).reduce((a, b) => a + b, 0);
  const list = (o) => Object.entries(o).sort().map(([k, v]) => `${k} ${count(v)}`).join(", ");
  const all = [["Slots due", count(t.due)], ["Finished", count(t.finished)], ["In flight", count(t.in_flight)],
    ["Dropped", sum(t.dropped) ? list(t.dropped) : "0"], ["Requests failed", sum(t.failed) ? list(t.failed) : "0"]];
  const at = $("totals");
  if (at.children.length !== all.length) at.replaceChildren(...all.map(() => make("div", {}, make("dt"), make("dd"))));
  all.forEach(([name, value], i) => {
    write(at.children[i].children[0], name);
    write(at.children[i].children[1], value);
    at.children[i].dataset.total = name;
  });
}

// failures shows the last requests that failed.
async function failures() {
  const query = { limit: 200, brief: "yes" };
  if ($("failure-scenario").value) query.scenario = $("failure-scenario").value;
  if ($("failure-reason").value) query.reason = $("failure-reason").value;
  const all = await load("api/v1/failures", query);
  options($("failure-scenario"), all.map((f) => f.scenario), "all");
  options($("failure-reason"), all.map((f) => f.reason), "all");
  const at = $("failures");
  const known = new Map([...at.children].map((li) => [li.dataset.key, li]));
  const items = all.map((f) => {
    const key = `${f.slot} ${f.request} ${f.ended} ${f.reason}`;
    return known.get(key) ?? failure(f, key);
  });
  // What somebody reads stays, though others have taken its place.
  const wanted = new Set(items);
  for (const li of at.children) {
    const f = li.failure;
    if (f && li.firstElementChild.open && !wanted.has(li) && (!query.scenario || f.scenario === query.scenario) && (!query.reason || f.reason === query.reason)) items.push(li);
  }
  if (items.length > all.length) items.sort((a, b) => Date.parse(b.failure.ended) - Date.parse(a.failure.ended));
  if (!items.length) items.push(make("li", { class: "empty" }, "Nothing has failed."));
  if (items.length !== at.children.length || items.some((li, i) => at.children[i] !== li)) at.replaceChildren(...items);
}

// options offers the values found, and the one chosen.
function options(at, found, all) {
  const names = [...new Set([at.value, ...[...at.options].map((o) => o.value), ...found])].filter(Boolean).sort();
  if (at.options.length === names.length + 1) return;
  const chosen = at.value;
  at.replaceChildren(make("option", { value: "" }, all), ...names.map((n) => make("option", { value: n }, n)));
  at.value = chosen;
}

function failure(f, key) {
  const body = make("div", { class: "body" });
  const details = make("details", {},
    make("summary", {}, make("span", {}, make("span", { class: `pill ${f.reason === "slow" ? "warn" : "bad"}` }, f.reason)), make("span", { class: "who" }, `${f.scenario} · ${f.request}`),
      make("span", { class: "why" }, f.error || (f.code ? `response ${f.code}` : "")), make("span", { class: "num" }, duration(f.latency)), make("time", { class: "num", datetime: f.ended }, clock(new Date(f.ended), "UTC"))), body);
  details.addEventListener("toggle", async () => {
    if (!details.open || body.dataset.filled) return;
    body.dataset.filled = "yes";
    const whole = await load("api/v1/failures", { slot: f.slot, request: f.request, reason: f.reason }).catch(() => []);
    f.exchange = whole.find((w) => w.ended === f.ended)?.exchange;
    const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
    const copy = make("button", { type: "button" }, "Copy command");
    copy.addEventListener("click", async () => {
      write(copy, (await copied(f.command)) ? "Copied" : "Select and copy it");
      setTimeout(() => write(copy, "Copy command"), 2000);
    });
    body.append(make("dl", {}, fact("Slot", f.slot), fact("Trace", f.trace_id), fact("Due", f.due), fact("Sent late by", duration(f.delay)), fact("Latency from the due time", duration(f.latency)),
      fact("Code", f.code || "no response"), fact("Error", f.error || "–")),
    make("div", { class: "copy" }, make("code", { tabindex: 0 }, f.command), copy),
    f.exchange ? make("pre", { class: "exchange", tabindex: 0, "aria-label": "The exchange" }, f.exchange) : make("p", { class: "soft" }, "The request ended before it had a connection, or its exchange was not seen. The command sends the slot again."));
  });
  const li = make("li", {}, details);
  li.dataset.key = key;
  li.failure = f;
  return li;
}

// copied copies a string. Pages that came over plain HTTP may have no clipboard.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function configuration() {
  try {
    const response = await fetch("config");
    write($("config"), await response.text());
    pulse(true);
  } catch (err) {
    pulse(false, err.message);
  }
}

function choose(name) {
  if (state.scenario === name) return;
  state.scenario = name;
  state.history = null;
}

// decoded returns a name of the address; people may have typed anything.
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

// route shows the view that the address asks for.
function route() {
  const [, view, name] = location.hash.match(/^#\/(failures|config|scenario)?(?:\/(.*))?$/) ?? [];
  const next = view === "failures" || view === "config" ? view : "live";
  if (view === "scenario" && name) choose(decoded(name));
  state.view = next;
  for (const v of ["live", "failures", "config"]) $(`view-${v}`).hidden = v !== next;
  for (const a of document.querySelectorAll("nav a[data-view]")) {
    if (a.dataset.view === next) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  if (next === "config") configuration();
  poll();
}

addEventListener("hashchange", route);
addEventListener("resize", () => requestAnimationFrame(() => (resized(), state.live && draw())));
document.addEventListener("visibilitychange", poll);
onTheme(() => {
  state.theme = Math.random();
  if (state.live) draw();
});
$("match").addEventListener("input", () => {
  state.match = $("match").value.trim();
  poll();
});
for (const id of ["failure-scenario", "failure-reason"]) $(id).addEventListener("change", poll);
for (const b of document.querySelectorAll("[data-span]")) {
  b.addEventListener("click", () => {
    state.span = b.dataset.span;
    for (const o of document.querySelectorAll("[data-span]")) o.setAttribute("aria-pressed", String(o === b));
    if (state.live) draw();
  });
}
control.start();
route();
