// How figures and elements are written. Text goes into a document by textContent only: names and
// responses are whatever somebody has chosen.

// make returns an element with attributes and children, which are elements or text.
export function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null));
  return e;
}

export const $ = (id) => document.getElementById(id);

// write changes an element's text only if it differs, so that selections and readers stay.
export function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

const missing = "–";
const known = (v) => v !== null && v !== undefined && Number.isFinite(v);

// significant writes a number with three digits, and without an exponent.
export function significant(v) {
  if (!known(v)) return missing;
  const a = Math.abs(v);
  if (a >= 1e6) return `${significant(v / 1e6)} M`;
  if (a >= 1e4) return `${significant(v / 1e3)} k`;
  if (a >= 100 || a === 0) return v.toFixed(0);
  if (a >= 10) return v.toFixed(1).replace(/\.0$/, "");
  if (a >= 0.01) return v.toFixed(2).replace(/\.?0+$/, "");
  return v.toPrecision(1);
}

// rate writes requests per second with the unit that suits it.
export function rate(v) {
  const [value, unit] = rateParts(v);
  return value === missing ? value : `${value}${unit}`;
}

export function rateParts(v) {
  if (!known(v)) return [missing, ""];
  if (v === 0 || v >= 0.5) return [significant(v), "/s"];
  if (v * 60 >= 0.5) return [significant(v * 60), "/min"];
  return [significant(v * 3600), "/h"];
}

// duration writes seconds.
export function duration(v) {
  const [value, unit] = durationParts(v);
  return unit ? `${value} ${unit}` : value;
}

export function durationParts(v) {
  if (!known(v)) return [missing, ""];
  if (v < 1e-3) return [significant(v * 1e6), "µs"];
  if (v < 1) return [significant(v * 1e3), "ms"];
  return [significant(v), "s"];
}

// percent writes a fraction of 1, with enough digits to distinguish small ones.
export function percent(v) {
  if (!known(v)) return missing;
  const p = v * 100;
  if (p === 0 || Math.abs(p) >= 10) return `${p.toFixed(p % 1 ? 1 : 0)} %`;
  return `${significant(p)} %`;
}

export const count = (n) => (known(n) ? Math.round(n).toLocaleString("en") : missing);

// skew is the lead of the server's clock over this one, in milliseconds: the page shows the server's time.
let skew = 0;

export function serverIs(time) {
  skew = Date.parse(time) - Date.now();
}

// now returns the server's time in seconds.
export const now = () => (Date.now() + skew) / 1e3;

// span writes seconds as people do: 2 h 5 min.
export function span(s) {
  s = Math.max(0, Math.round(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// clock writes an instant in a time zone.
export function clock(date, zone, seconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone };
  if (seconds) options.second = "2-digit";
  return new Intl.DateTimeFormat("en-GB", options).format(date);
}

export function dateOf(date, zone) {
  return new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: zone }).format(date);
}
