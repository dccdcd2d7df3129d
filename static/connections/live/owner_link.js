// The owner's link on the connection page. Without this script its forms are ordinary forms.

import { ANSWER_WITHIN } from "../shared/deadlines.js";

const root = document.getElementById("connection");
const part = root.querySelector("[data-owner-link]");
const texts = part.dataset;
const url = part.querySelector("[data-url]");
const expires = part.querySelector("[data-link-expires]");
const language = document.documentElement.lang || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "always" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
const UNITS = [[3_600, "hour"], [60, "minute"]];
// The server's time minus the browser's.
let ahead = 0;
let shown = null;

const IDLE = new Set(["organization_inactive", "temporarily_banned"]);

// Returns whether no phone can be linked now.
function isIdle(status) {
  return status.state === "connected" || IDLE.has(status.reason);
}

part.querySelector("[data-make]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await send(event.target);
  if (!answer?.success) return;
  url.value = answer.url;
  part.querySelector("[data-made]").hidden = false;
  show(answer.link);
  await copy();
});

part.querySelector("[data-revoke]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await send(event.target);
  if (answer?.success) show(answer.link);
});

part.querySelector("[data-copy-link]").addEventListener("click", copy);
url.addEventListener("focus", () => url.select());

async function send(form) {
  if (form.ariaBusy === "true") return null;
  form.ariaBusy = "true";
  say("");
  try {
    const headers = { Accept: "application/json" };
    const signal = AbortSignal.timeout(ANSWER_WITHIN);
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers, redirect: "manual", signal });
    const result = await answer.json();
    if (!result.success) say(result.message);
    return result;
  } catch {
    say(texts.problem);
    return null;
  } finally {
    form.ariaBusy = null;
  }
}

async function copy() {
  // Browsers have a clipboard only in a secure context.
  const copied = await navigator.clipboard?.writeText(url.value).then(() => true, () => false);
  if (!copied) url.focus();
  say(copied ? texts.copied : texts.notCopied);
}

// A snapshot from before a new link was made must not hide that one.
function isOlder(link) {
  return shown !== null && (link === null || link.madeAt < shown.madeAt);
}

function show(link) {
  // What was said is about a link that nobody has opened.
  if (shown && link?.state !== shown.state) say("");
  shown = link;
  const focused = document.activeElement;
  part.querySelector("[data-link-state]").hidden = !link;
  part.querySelector("[data-revoke]").hidden = !link?.canRevoke;
  if (!link?.canRevoke) {
    part.querySelector("[data-made]").hidden = true;
    url.value = "";
  }
  if (part.contains(focused) && !focused.checkVisibility()) part.querySelector("button").focus();
  if (!link) return;
  write("[data-link-sentence]", link.sentence);
  write("[data-link-by]", texts.by.replace("{name}", () => link.by));
  expires.hidden = !link.canRevoke || link.usedAt !== null;
  expires.dateTime = link.expiresAt;
  tick();
}

function tick() {
  if (expires.hidden || !expires.dateTime) return;
  const at = Date.parse(expires.dateTime);
  const left = Math.max(0, (at - Date.now() - ahead) / 1000);
  const [size, unit] = UNITS.find(([length]) => left >= 1.5 * length) ?? [1, "second"];
  const when = relative.format(Math.round(left / size), unit);
  expires.title = exact.format(at);
  const text = texts.expires.replace("{when}", when);
  if (expires.textContent !== text) expires.textContent = text;
}

function say(text) {
  write("[data-said]", text);
}

function write(selector, text) {
  const element = part.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
}

// The live page dispatches it for each snapshot that it shows (page.js).
root.addEventListener("snapshot", ({ detail }) => {
  ahead = Date.parse(detail.now) - Date.now();
  if (!isOlder(detail.ownerLink)) show(detail.ownerLink);
  part.querySelector("[data-make]").hidden = isIdle(detail);
  part.hidden = isIdle(detail) && part.querySelector("[data-link-state]").hidden;
});
tick();
setInterval(tick, 10_000);
