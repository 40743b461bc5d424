// What htmx does not do: listen for signs of change, copy, jump to a line, store with Ctrl-Enter.
"use strict";

const body = document.body;
const liveness = document.getElementById("liveness");

function listen() {
  const source = new EventSource(body.dataset.live);
  let known = null;
  const say = (text, kind) => { liveness.textContent = text; liveness.className = kind; };
  source.addEventListener("open", () => say("live", "online"));
  source.addEventListener("error", () => say("reconnecting", "offline"));
  source.addEventListener("changed", (event) => {
    const first = known === null;
    if (event.data !== known && !(first && document.readyState === "loading")) {
      known = event.data;
      if (document.querySelector("#inner form:focus-within input, #inner form:focus-within textarea")) return;
      body.dispatchEvent(new CustomEvent("changed"));
    }
  });
  window.addEventListener("pagehide", () => source.close());
}

if (body.dataset.live && window.htmx) listen();

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy).then(() => { copy.textContent = "copied"; });
    return;
  }
  const line = event.target.closest("[data-line]");
  if (line) {
    const text = document.getElementById("definition");
    const before = text.value.split("\n").slice(0, Number(line.dataset.line) - 1).join("\n").length;
    text.focus();
    text.setSelectionRange(before + 1, before + 1 + text.value.split("\n")[Number(line.dataset.line) - 1].length);
    event.preventDefault();
  }
});

document.addEventListener("keydown", (event) => {
  const code = event.target.closest("textarea.code");
  if (code && event.key === "Enter" && (event.ctrlKey || event.metaKey)) code.form.requestSubmit();
});
