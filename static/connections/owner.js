// The page behind a link for the phone's owner: shows what its socket tells. The server has drawn
// the first state, and the buttons are plain forms.

import { LiveSocket } from "./socket.js";
import { Ring } from "./owner_ring.js";

const root = document.getElementById("owner");
const texts = root.dataset;
const ring = new Ring(root, (seconds) => fill(texts.secondsLeft, { seconds }));

function show(told) {
  const focused = document.activeElement;
  root.dataset.stage = told.stage;
  write("[data-sentence]", told.sentence);
  write("[data-notice]", "");
  for (const part of root.querySelectorAll("[data-can]")) part.hidden = !told[part.dataset.can];
  const picture = root.querySelector("[data-qr]");
  if (told.qr) picture.src = told.qr;
  else picture.removeAttribute("src");
  write("[data-code-number]", told.qr ? fill(texts.codeOf, { number: told.codeNumber, total: told.codeCount }) : "");
  write("[data-code]", told.code ?? "");
  write("[data-spelled]", told.code ? [...told.code].join(" ") : "");
  root.querySelector("[data-attempt]").value = told.attempt ?? "";
  count(told);
  // Whoever works with the keyboard stays where the news is.
  if (root.contains(focused) && !focused.checkVisibility()) root.querySelector("[data-sentence]").focus();
}

function count(told) {
  if (told.secondsLeft === null) ring.stop();
  else ring.start(told.secondsLeft, told.secondsInAll);
}

// Not a reload, which would send a form again.
function again() {
  location.replace(location.pathname);
}

function write(selector, text) {
  const element = root.querySelector(selector);
  // Only what differs, or screen readers would say it all again.
  if (element.textContent !== text) element.textContent = text;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// --- Copying the code

const copy = root.querySelector("[data-copy]");
if (navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const code = root.querySelector("[data-code]").textContent;
    const copied = await navigator.clipboard.writeText(code).then(() => true, () => false);
    write("[data-copied-note]", copied ? texts.copied : texts.notCopied);
    copy.toggleAttribute("data-done", copied);
  });
}

// --- Asking once

for (const form of root.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
  });
}
// Back from the browser's memory: what was asked then is over.
addEventListener("pageshow", (event) => event.persisted && again());

// --- The link to the server

const address = new URL(texts.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");
const socket = new LiveSocket(address, {
  snapshot: show,
  dropped: () => write("[data-notice]", texts.interrupted),
  ended: again,
});
// What is over changes no more, and a link that nobody uses has nothing to tell but its end.
count(JSON.parse(document.getElementById("owner-screen").textContent));
if (!["done", "over"].includes(root.dataset.stage)) socket.open();
