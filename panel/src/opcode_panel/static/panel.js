// What htmx does not do: listen for signs of change, copy, jump to a line, keep times true, store with Ctrl-Enter.
"use strict";

const body = document.body;
const liveness = document.getElementById("liveness");
document.documentElement.classList.add("js");

function say(text, kind) { liveness.textContent = text; liveness.className = kind; }

// While somebody fills in a form that would change, the change waits.
function busy() {
  return document.querySelector("#inner form :is(input:not([type=hidden]), textarea, select):focus")
    || [...document.querySelectorAll("#inner form :is(input:not([type=hidden]), textarea)")].some((e) => e.value !== e.defaultValue);
}

function listen(seen) {
  const address = new URL(body.dataset.live, location.href);
  address.searchParams.set("seen", seen);
  const source = new EventSource(address);
  source.addEventListener("open", () => {
    say("live", "online");
    if (missed) refresh();
  });
  source.addEventListener("error", () => {
    say("reconnecting", "offline");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    setTimeout(() => listen(seen), 2000);
  });
  source.addEventListener("changed", (event) => {
    seen = event.data;
    refresh();
  });
  window.addEventListener("pagehide", () => source.close());
}

// What was fetched in vain is fetched again once the server answers.
let missed = false;
for (const name of ["htmx:error", "htmx:response:error"]) body.addEventListener(name, () => { missed = true; });

function refresh() {
  if (busy()) { setTimeout(refresh, 1000); return; }
  missed = false;
  body.dispatchEvent(new CustomEvent("changed"));
}

if (body.dataset.live && window.htmx) listen(body.dataset.seen);
window.addEventListener("pageshow", (event) => { if (event.persisted && body.dataset.live) location.reload(); });

// "5 s ago", as the server says it.
const LENGTHS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function ago(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  const [length, name] = LENGTHS.find(([size]) => Math.abs(seconds) >= size) || [];
  if (!name) return "now";
  const amount = `${Math.floor(Math.abs(seconds) / length)} ${name}`;
  return seconds > 0 ? `${amount} ago` : `in ${amount}`;
}
setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = ago(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}, 5000);

function copied(button, text) {
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  };
  if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done, () => select(button)); return; }
  select(button);
}

// Where a page may not write to the clipboard, the text is at least selected.
function select(button) {
  const text = button.parentElement.querySelector("pre, code");
  if (text) getSelection().selectAllChildren(text);
}

function jump(number) {
  const text = document.getElementById("definition");
  const lines = text.value.split("\n");
  const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[number - 1] || "").length);
  text.scrollTop = Math.max(0, (number - 5) * parseFloat(getComputedStyle(text).lineHeight));
}

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy], [data-copies]");
  if (copy) copied(copy, copy.dataset.copy ?? copy.parentElement.querySelector("pre").textContent);
  const line = event.target.closest("[data-line]");
  if (line) { jump(Number(line.dataset.line)); event.preventDefault(); }
});

document.addEventListener("keydown", (event) => {
  const code = event.target.closest("textarea.code");
  if (code && event.key === "Enter" && (event.ctrlKey || event.metaKey)) code.form.requestSubmit();
});
