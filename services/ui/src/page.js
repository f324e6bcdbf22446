"use strict";
// What the page does beside reading: changes, keys, and a note when there is something new. Rows are never replaced under the reader.
const $ = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name=${name}]`)?.content;
const main = $("main");
const call = (path, options) =>
  fetch(path, { ...options, headers: { "x-brigade-token": meta("token"), ...options?.headers } });
const say = (text) => { $("news").textContent = text; };

// --- Replay: a dry run counts, the person decides, and progress follows.
async function* lines(response) {
  const decoder = new TextDecoder();
  let rest = "";
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

async function replay(bodies, dry) {
  const sum = { replayed: 0, conflicts: 0, gone: 0, held: 0, errors: 0 };
  let more = false;
  for (const body of bodies) {
    const response = await call("/replay", { method: "POST", body: body + (dry ? "&dry_run=1" : "") });
    if (!response.ok) throw new Error(await response.text());
    let ended = false;
    for await (const line of lines(response)) {
      if (line.error) throw new Error(line.error);
      if (line.left && $("left").children.length < 20) {
        const item = document.createElement("li");
        item.textContent = `${line.left.name}: ${line.left.why}`;
        $("left").append(item);
      }
      if (line.progress) $("asked").textContent = `${Number(line.progress.counts?.replayed ?? 0).toLocaleString("en")} so far …`;
      if (!line.finished) continue;
      ended = true;
      more ||= Boolean(line.finished.nextPageToken);
      for (const key of Object.keys(sum)) sum[key] += Number(line.finished.counts?.[key] ?? 0);
    }
    if (!ended) throw new Error("the replay broke off; start it again: what was moved is not moved twice");
  }
  return { sum, more };
}

const objects = (count) => `${count.toLocaleString("en")} object${count === 1 ? "" : "s"}`;
const others = (sum) => Object.entries({ conflicts: "newer ones in the inbox", gone: "gone", held: "held", errors: "errors" })
  .filter(([key]) => sum[key]).map(([key, name]) => `, ${sum[key].toLocaleString("en")} ${name}`).join("");

async function ask(bodies) {
  const dialog = $("ask"), yes = $("yes");
  const step = async (text, work) => {
    $("asked").textContent = text;
    $("left").replaceChildren();
    $("progress").hidden = false;
    yes.hidden = true;
    try { return await work(); }
    catch (error) { $("asked").textContent = error.message; }
    finally { $("progress").hidden = true; }
  };
  $("no").textContent = "Cancel";
  dialog.showModal();
  const planned = await step("Counting …", () => replay(bodies, true));
  if (!planned) return;
  const { sum, more } = planned;
  $("asked").textContent = `Replay ${more ? "at least " : ""}${objects(sum.replayed)}?${others(sum).replace(/^, /, " Left out: ")}`;
  yes.hidden = !sum.replayed;
  yes.focus();
  yes.onclick = async () => {
    const done = await step("Moving …", () => replay(bodies, false));
    if (!done) return;
    $("asked").textContent = `${objects(done.sum.replayed)} moved into the inbox${others(done.sum)}.`;
    $("no").textContent = "Close";
    $("no").focus();
    dialog.addEventListener("close", () => location.reload(), { once: true });
  };
}

const boxes = () => [...document.querySelectorAll("input.select")];
const chosen = () => boxes().filter((box) => box.checked);
const name = (box) => "name=" + encodeURIComponent(box.value);
function chunks(list) {
  // The poller takes messages of 64 KiB.
  const found = [];
  for (let at = 0; at < list.length; at += 25) found.push(list.slice(at, at + 25).map(name).join("&"));
  return found;
}
const count = () => {
  const button = $("replay-selected"), picked = chosen().length;
  if (!button) return;
  button.disabled = !picked;
  button.textContent = picked ? `Replay ${objects(picked)}` : "Replay selected";
};
main?.addEventListener("change", (event) => {
  if (event.target.id === "all") for (const box of boxes()) box.checked = event.target.checked;
  count();
});
$("replay-selected")?.addEventListener("click", () => ask(chunks(chosen())));
$("replay-all")?.addEventListener("click", () => ask(["filter=" + encodeURIComponent(main.dataset.filter)]));
$("replay-one")?.addEventListener("click", (event) => ask([name(event.target)]));
// A browser keeps the ticks of a page that it loads again.
for (const box of [...boxes(), ...($("all") ? [$("all")] : [])]) box.checked = false;

$("poll")?.addEventListener("click", async () => {
  say("polling …");
  const response = await call("/poll", { method: "POST" }).catch((error) => ({ text: () => error.message }));
  say(await response.text());
});

// --- Files: one after the other, and one of its name is replaced only when the person says so.
async function upload(files) {
  let taken = 0;
  for (const file of files) {
    const path = "/upload/" + encodeURIComponent(file.name);
    const put = (query) => call(path + query, { method: "PUT", body: file });
    let response = await put("");
    if (response.status === 409) {
      if (!confirm(`The inbox has ${file.name} already. Replace it?`)) continue;
      response = await put("?replace=1");
    }
    if (!response.ok) return say(await response.text());
    taken += 1;
  }
  say(`${taken} of ${files.length} file${files.length === 1 ? "" : "s"} put into the inbox`);
}
if ($("drop")) {
  const over = (is) => (event) => { event.preventDefault(); document.body.classList.toggle("over", is); };
  addEventListener("dragover", over(true));
  addEventListener("dragleave", over(false));
  addEventListener("drop", (event) => { over(false)(event); upload([...event.dataTransfer.files]); });
  $("files").addEventListener("change", (event) => upload([...event.target.files]));
}

// --- Keys.
let here = -1;
function move(by) {
  const rows = [...document.querySelectorAll("tbody tr")];
  if (!rows.length) return;
  rows[here]?.classList.remove("here");
  here = Math.min(Math.max(here + by, 0), rows.length - 1);
  rows[here].classList.add("here");
  rows[here].scrollIntoView({ block: "nearest" });
  rows[here].querySelector("a.open, input")?.focus();
}
const keys = {
  "/": () => document.querySelector(".filter input:not([type=hidden])")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  x: () => { const box = document.querySelector("tr.here input.select"); if (box) { box.checked = !box.checked; count(); } },
  r: () => location.reload(),
  "?": () => $("help").showModal(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=checkbox])")) return;
  if (event.key === "Enter" && event.target.matches("input.select")) document.querySelector("tr.here a.open")?.click();
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
$("keys")?.addEventListener("click", keys["?"]);

// --- What is new: one stream for all tabs of the browser, held by one that is visible.
const seen = meta("seen") ? JSON.parse(meta("seen")) : null;
const channel = new BroadcastChannel("brigade");
let counted = Date.now(), waits = false;
async function header() {
  if (waits) return;
  waits = true;
  await new Promise((done) => setTimeout(done, Math.max(0, counted + 5000 - Date.now())));
  const response = await call("/header").catch(() => null);
  if (response?.ok) $("status").innerHTML = await response.text();
  [counted, waits] = [Date.now(), false];
}
function changed(now) {
  $("lost").textContent = now.lost;
  const tab = main.dataset.tab;
  const fresh = now[tab] - seen[tab];
  if (fresh > 0) say(`${fresh.toLocaleString("en")} new, press r`);
  if (["failed", "processed", "waiting", "flight", "polls"].some((key) => now[key] !== (header.last ?? seen)[key])) header();
  header.last = now;
}
channel.onmessage = (event) => { if (!document.hidden) changed(event.data); };
function listen() {
  const source = new EventSource("/events");
  source.addEventListener("changes", (event) => {
    const now = JSON.parse(event.data);
    changed(now);
    channel.postMessage(now);
  });
  source.onerror = () => { $("lost").textContent = "The connection to the page is lost. Is its command still running?"; };
  return source;
}
// Without locks, as behind a forwarded port without TLS, each tab has a stream of its own.
const lead = (work) => (navigator.locks ? navigator.locks.request("brigade-events", work) : work());
async function follow() {
  if (document.hidden) return;
  const hidden = new AbortController();
  document.addEventListener("visibilitychange", () => document.hidden && hidden.abort(), { once: true });
  await lead(async () => {
    if (hidden.signal.aborted) return;
    const source = listen();
    await new Promise((done) => hidden.signal.addEventListener("abort", done, { once: true }));
    source.close();
  });
}
if (seen) {
  if (document.querySelector("[data-pending]")) { counted = 0; header(); }
  document.addEventListener("visibilitychange", follow);
  follow();
}
