// The dialog that changes a rate. It exists only where the server allows that.
import { $, clock, make, rate, write } from "./format.js";

let scenario = null;
let after = () => {};
let asked = 0;
let preview = null;
let timer = 0;

// actions puts the buttons of a scenario into its head.
export function actions(s, control, done) {
  const at = $("actions");
  at.hidden = !control;
  if (!control) {
    at.replaceChildren();
    at.dataset.of = "";
    return;
  }
  const active = Boolean(s.override && !s.override.clear);
  const of = `${s.name} ${active}`;
  if (at.dataset.of === of) return;
  at.dataset.of = of;
  const button = (text, value) => {
    const b = make("button", { type: "button" }, text);
    b.addEventListener("click", () => open(s, value, done));
    return b;
  };
  const all = [button("Pause", "x0"), button("×0.5", "x0.5"), button("×2", "x2"), button("Rate…", "")];
  if (active) all.push(button("Clear", null));
  at.replaceChildren(...all);
}

// open asks for a change; null is the end of one.
function open(s, value, done) {
  scenario = s;
  after = done;
  preview = null;
  const clear = value === null;
  write($("change-title"), clear ? `End the change of ${s.name}` : `Change the rate of ${s.name}`);
  for (const id of ["change-rate", "change-for"]) $(id).closest("label").hidden = clear;
  $("change-rate").value = clear ? "" : value;
  $("change-for").value = clear ? "" : "30m";
  $("change-reason").value = $("change-name").value = "";
  $("change-force").checked = false;
  $("change-name-label").hidden = $("change-force-label").hidden = true;
  write($("change-error"), "");
  write($("change-confirm"), clear ? "End the change" : value === "x0" ? "Pause" : "Change the rate");
  $("change").dataset.clear = clear ? "yes" : "";
  $("change-preview").className = "preview";
  write($("change-preview"), clear ? `Back to the file's ${rate(s.file_rate)} in about three seconds.` : "Rate, duration and reason are required.");
  settle();
  $("change").showModal();
  $(clear || value ? "change-reason" : "change-rate").focus();
  look();
}

const clearing = () => $("change").dataset.clear === "yes";

// wanted returns the request, or nothing while it is not complete.
function wanted() {
  const text = $("change-rate").value.trim();
  const reason = $("change-reason").value.trim();
  const duration = $("change-for").value.trim();
  if (!text || !duration) return null;
  const factor = text.match(/^[x×]\s*([0-9.]+)$/);
  return { ...(factor ? { factor: Number(factor[1]) } : { rate: text }), for: duration, reason: reason || "not given yet", force: $("change-force").checked };
}

const path = (more = "") => `api/v1/scenarios/${encodeURIComponent(scenario.name)}/override${more}`;

async function send(method, url, body) {
  const response = await fetch(url, { method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) });
  const answer = await response.json().catch(() => ({ error: `${response.status} ${response.statusText}` }));
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data;
}

// look shows what would come of the change.
async function look() {
  const o = wanted();
  const mine = ++asked;
  if (clearing() || !o) {
    preview = null;
    settle();
    return;
  }
  try {
    const p = await send("POST", path("/preview"), o);
    if (mine !== asked) return;
    preview = p;
    write($("change-error"), "");
    const capped = p.max_rate && p.peak >= p.max_rate ? ", held at max_rate" : "";
    write($("change-preview"), `Peak ${rate(p.peak)}${capped} until ${clock(new Date(p.until), scenario.time_zone)} (${scenario.time_zone}); the file's peak today is ${rate(p.file_peak)}.`);
    $("change-preview").className = p.confirm ? "preview warn" : "preview";
  } catch (err) {
    if (mine !== asked) return;
    preview = null;
    write($("change-error"), err.message);
  }
  settle();
}

// settle allows the change once all is there.
function settle() {
  $("change-name-label").hidden = !preview?.confirm;
  write($("change-name-label").firstElementChild, `That is more than three times the file's peak. Type ${scenario.name} to confirm`);
  $("change-force-label").hidden = !preview?.refused;
  const named = !preview?.confirm || $("change-name").value === scenario.name;
  const forced = !preview?.refused || $("change-force").checked;
  const reason = $("change-reason").value.trim() !== "";
  $("change-confirm").disabled = clearing() ? !reason : !(preview && reason && named && forced);
}

async function confirm() {
  $("change-confirm").disabled = true;
  try {
    const reason = $("change-reason").value.trim();
    if (clearing()) await send("DELETE", `${path()}?reason=${encodeURIComponent(reason)}`);
    else await send("PUT", path(), wanted());
    $("change").close();
    after();
  } catch (err) {
    write($("change-error"), err.message);
    settle();
  }
}

export function start() {
  for (const id of ["change-rate", "change-for", "change-reason"]) {
    $(id).addEventListener("input", () => {
      preview = id === "change-reason" ? preview : null;
      settle();
      clearTimeout(timer);
      timer = setTimeout(look, 150);
    });
  }
  $("change-name").addEventListener("input", settle);
  $("change-force").addEventListener("change", settle);
  $("change").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && e.target.tagName === "INPUT" && !$("change-confirm").disabled) confirm();
  });
  // The button that opened it may be gone by now.
  $("change").addEventListener("close", () => document.activeElement === document.body && $("detail-title").focus());
  $("change-cancel").addEventListener("click", () => $("change").close());
  $("change-confirm").addEventListener("click", confirm);
}
