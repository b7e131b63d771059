// What the pages do beyond what the server renders: actions with a question and a key, times, theme, plots, staleness.
"use strict";

const byId = (id) => document.getElementById(id);
const stored = (name, fallback) => { try { return localStorage.getItem(name) || fallback; } catch { return fallback; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* Private windows have none. */ } };

function tell(text, bad) {
  const line = document.createElement("p");
  line.textContent = text;
  line.className = bad ? "bad" : "";
  byId("told").append(line);
  setTimeout(() => line.remove(), bad ? 12000 : 6000);
}

// Requests

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function send(method, path, body, key) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  try {
    const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const answer = await response.json();
    return { ok: response.ok, status: response.status, answer };
  } catch {
    return { ok: false, status: 0, answer: { reason: "The process did not answer." } };
  }
}

function ask(text) {
  const dialog = byId("ask");
  byId("ask-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

// What a form asks for: its own fields, those of the filters that it names, and what is ticked, if that is meant.
function formValues(form, chosen) {
  const values = {};
  const filled = (name, value) => { if (value !== "") values[name] = value; };
  // The filters that the page was made with, which need not be those that stand in the form now.
  for (const [name, value] of new URLSearchParams(location.search)) filled(name, value);
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") { if (field.checked) values[field.name] = true; } else filled(field.name, field.value.trim());
  }
  for (const name of ["rate", "source_partition"]) if (name in values) values[name] = Number(values[name]);
  if (chosen) values.ids = [...document.querySelectorAll(`input[name="${form.dataset.chosen}"]:checked`)].map((tick) => tick.value);
  return values;
}

async function act(button) {
  const path = button.dataset.post;
  let text = button.dataset.confirm || "";
  let body = button.dataset.body ? undefined : {};
  if (button.dataset.body === "count") {
    const form = button.dataset.form && byId(button.dataset.form);
    if (form && !form.reportValidity()) return;
    const base = form ? formValues(form, button.dataset.chosen) : JSON.parse(button.dataset.base || "{}");
    if (button.dataset.chosen && !base.ids.length) return tell("Nothing is ticked.", true);
    const counted = await send("POST", path, base);
    if (!counted.ok) return tell(counted.answer.reason, true);
    if (!counted.answer.count) return tell(counted.answer.result);
    body = { ...base, count: counted.answer.count };
    // What fails while the question stands is not among those that were counted.
    if (counted.answer.failed_before) body.failed_before = counted.answer.failed_before;
    text = text ? `${text} This concerns ${counted.answer.count} records.` : counted.answer.result;
  } else if (button.dataset.body === "form") {
    const form = byId(button.dataset.form);
    body = Object.fromEntries(new FormData(form));
  } else if (button.dataset.body) {
    body = JSON.parse(button.dataset.body);
  }
  if (text && !(await ask(text))) return;
  const done = await send("POST", path, Object.keys(body).length ? body : undefined, newKey());
  tell(done.ok ? done.answer.result : done.answer.reason, !done.ok);
  const place = byId("test-result");
  if (place && done.ok && "verdict" in done.answer) {
    place.textContent = done.answer.answer ? `${done.answer.result}\n\n${done.answer.answer}` : done.answer.result;
    place.hidden = false;
  }
  refresh();
}

function refresh() {
  const content = byId("content");
  if (window.htmx && content.hasAttribute("hx-get")) htmx.trigger(content, "sse:message");
  if (window.htmx && byId("redrive")) htmx.trigger(byId("redrive"), "look");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.post) await act(button);
  else if (button.dataset.delete) { await send("DELETE", button.dataset.delete); location.assign("/login"); }
  else if (button.dataset.copy) {
    try { await navigator.clipboard.writeText(byId(button.dataset.copy).textContent); tell("Copied."); }
    catch { tell("The browser did not let it be copied: select it by hand.", true); }
  }
});

// A token behind the # of the address, which is not sent anywhere, fills the form of the login page.
if (byId("login") && location.hash.length > 1) {
  byId("login").elements.token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}

document.addEventListener("submit", async (event) => {
  if (["redrive-form", "test-form"].includes(event.target.id)) event.preventDefault();
  if (event.target.id !== "login") return;
  event.preventDefault();
  const done = await send("POST", "/api/v1/session", { token: new FormData(event.target).get("token") });
  if (done.ok) location.assign("/");
  else tell(done.answer.reason, true);
});

// Times

function showTimes() {
  const local = stored("zone", "utc") === "local";
  byId("zone").textContent = local ? "Local" : "UTC";
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const iso = (local ? new Date(at - at.getTimezoneOffset() * 60000) : at).toISOString();
    const text = `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
    if (time.textContent !== text) time.textContent = text;
    time.title = at.toString();
  }
}

// Staleness: the stream speaks once a second.

let heardAt = Date.now();
const streams = () => document.body.hasAttribute("sse-connect");
setInterval(() => { byId("stale").hidden = !streams() || Date.now() - heardAt < 5000; }, 1000);
document.addEventListener("htmx:sseMessage", () => { heardAt = Date.now(); });
document.addEventListener("htmx:afterSettle", showTimes);
document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 401) location.assign("/login"); });

// Dead letters are counted anew when a redrive has ended; it costs too much to do so all the time.

let redriveWas = byId("redrive-state")?.dataset.state;
document.addEventListener("htmx:afterSettle", () => {
  const redriveIs = byId("redrive-state")?.dataset.state;
  if (redriveIs === redriveWas) return;
  redriveWas = redriveIs;
  if (redriveIs && !redriveIs.startsWith("running")) htmx.ajax("GET", location.pathname + location.search, { target: "#content", swap: "morph:innerHTML" });
});

// Plots

const NAMES = {
  delivered_per_second: "delivered", failed_per_second: "failed", lag_records: "behind", attempt_p50_seconds: "p50",
  attempt_p99_seconds: "p99", in_flight: "in flight", retrying: "retrying",
};
const COLOURS = ["#2f7ed8", "#d9722e"];

// A moment of the plots in the zone that times are shown in.
function clockTime(seconds) {
  const at = new Date(seconds * 1000);
  return (stored("zone", "utc") === "local" ? new Date(at - at.getTimezoneOffset() * 60000) : at).toISOString().slice(11, 19);
}

async function drawPlots() {
  const places = [...document.querySelectorAll("[data-plot]")];
  if (!places.length || !window.uPlot) return;
  let history;
  try {
    const response = await fetch("/api/v1/history");
    if (!response.ok) return;
    history = await response.json();
  } catch {
    return; // The process is away; the banner says so.
  }
  for (const place of places) {
    const series = place.dataset.plot.split(" ");
    const data = [history.at, ...series.map((name) => history[name])];
    const width = place.clientWidth - 16;
    if (place.chart) { place.chart.setSize({ width, height: 180 }); place.chart.setData(data); continue; }
    const ink = () => getComputedStyle(document.body).getPropertyValue("--quiet");
    const axis = { stroke: ink, grid: { stroke: () => getComputedStyle(document.body).getPropertyValue("--line"), width: 1 } };
    const unit = place.dataset.unit;
    place.chart = new uPlot({
      width, height: 180, padding: [null, 28, null, null],
      axes: [{ ...axis, values: (_, ticks) => ticks.map(clockTime) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString("en")}${unit}`) }],
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.1] } },
      series: [{ value: (_, at) => (at ? clockTime(at) : "–") },
        ...series.map((name, index) => ({ label: NAMES[name], stroke: COLOURS[index], width: 2, spanGaps: false }))],
    }, data, place);
    place.chart.root.setAttribute("role", "img");
    place.chart.root.setAttribute("aria-label", `${place.querySelector("h3").textContent}, plotted over the last hour`);
  }
}

// Theme

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = { system: "Theme: system", dark: "Theme: dark", light: "Theme: light" }[theme];
}

const THEMES = ["system", "dark", "light"];
setTheme(stored("theme", "system"));
byId("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(stored("theme", "system")) + 1) % THEMES.length];
  store("theme", next);
  setTheme(next);
  document.querySelectorAll("[data-plot]").forEach((place) => place.chart && place.chart.redraw());
});
byId("zone").addEventListener("click", () => { store("zone", stored("zone", "utc") === "utc" ? "local" : "utc"); showTimes(); });
byId("ask-no").addEventListener("click", () => byId("ask").close("no"));
byId("ask-yes").addEventListener("click", () => byId("ask").close("yes"));
showTimes();
addEventListener("load", () => { drawPlots(); setInterval(drawPlots, 5000); addEventListener("resize", drawPlots); });
