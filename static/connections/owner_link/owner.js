// The page of an owner's link: shows the messages of its socket. The server renders the first
// state, and the buttons are plain forms.

import { LiveSocket } from "../shared/socket.js";
import { Ring } from "./ring.js";

const root = document.getElementById("owner");
const texts = root.dataset;
const ring = new Ring(root, secondsLeft, expired);
let interrupted = false;

function show(snapshot) {
  const focused = document.activeElement;
  // The server's refusal of a form stays until another stage makes it outdated.
  if (root.dataset.stage !== snapshot.stage) write("[data-notice]", "");
  root.dataset.stage = snapshot.stage;
  write("[data-sentence]", snapshot.sentence);
  write("[data-hint]", snapshot.hint);
  interrupt("");
  for (const part of root.querySelectorAll("[data-can]")) part.hidden = !snapshot[part.dataset.can];
  const picture = root.querySelector("[data-qr]");
  if (snapshot.qr) picture.src = snapshot.qr;
  else picture.removeAttribute("src");
  write("[data-code-number]", snapshot.qr ? fill(texts.codeOf, { number: snapshot.codeNumber, total: snapshot.codeCount }) : "");
  write("[data-code]", snapshot.code ?? "");
  write("[data-spelled]", snapshot.code ? [...snapshot.code].join(" ") : "");
  root.querySelector("[data-attempt]").value = snapshot.attempt ?? "";
  count(snapshot);
  // Keep the keyboard focus at the changed part.
  if (root.contains(focused) && !focused.checkVisibility()) root.querySelector("[data-sentence]").focus();
}

function count(snapshot) {
  root.removeAttribute("data-expired");
  if (snapshot.secondsLeft === null) ring.stop();
  else ring.start(snapshot.secondsLeft, snapshot.secondsInAll);
}

function secondsLeft(count) {
  return fill(count === 1 ? texts.secondLeft : texts.secondsLeft, { count });
}

// The code expired before the next snapshot.
function expired() {
  write("[data-expired-note]", interrupted ? texts.codeExpired : texts.nextCode);
  root.setAttribute("data-expired", "");
}

// Not a reload, which would submit a form again.
function again() {
  location.replace(location.pathname);
}

function interrupt(text) {
  interrupted = text !== "";
  write("[data-interruption]", text);
}

function write(selector, text) {
  const element = root.querySelector(selector);
  // Writes only changes, or screen readers would repeat everything.
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

// --- Submitting once

const SUBMITTED = "owner-form-submitted";
for (const form of root.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
    sessionStorage.setItem(SUBMITTED, "yes");
  });
}
// Each form loads the page again: the keyboard focus goes to what came of it.
if (sessionStorage.getItem(SUBMITTED)) {
  sessionStorage.removeItem(SUBMITTED);
  const fields = [...root.querySelectorAll('[aria-invalid="true"]')];
  (fields.find((field) => field.checkVisibility()) ?? root.querySelector("[data-sentence]")).focus();
}
// Restored from the back/forward cache: the earlier submission is over.
addEventListener("pageshow", (event) => event.persisted && again());

// --- Connection to the server

const socket = new LiveSocket(texts.socket, {
  snapshot: show,
  dropped: () => interrupt(texts.interrupted),
  ended: again,
});
// An ended attempt does not change any more, and an unused link only expires.
count(JSON.parse(document.getElementById("owner-screen").textContent));
if (!["done", "over"].includes(root.dataset.stage)) socket.open();
