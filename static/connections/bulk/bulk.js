// The page of a bulk run: polls its progress and shows changes.

const ASK_EVERY = 1_000;
const ASK_AGAIN = 3_000;
const ANSWER_WITHIN = 10_000;
// Progress is announced to screen readers at this interval, and at the end.
const SAY_EVERY = 10_000;

const root = document.getElementById("bulk");
const bar = root.querySelector("progress");
const announcer = root.querySelector("[data-announcer]");
const trouble = root.querySelector("[data-trouble]");
const sign = root.querySelector("[data-live-sign]");
const lines = new Map();
for (const line of root.querySelectorAll("[data-item]")) lines.set(Number(line.dataset.item), line);

let since = "";
let announcedAt = Date.now();

async function ask() {
  const address = new URL(root.dataset.progress, location.href);
  if (since) address.searchParams.set("since", since);
  const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(ANSWER_WITHIN) });
  // Logged out, or no longer allowed: the response of the server says which.
  if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

async function follow() {
  try {
    const progress = await ask();
    if (!progress) return;
    trouble.hidden = true;
    sign.hidden = progress.ended;
    show(progress);
    if (!progress.ended) setTimeout(follow, ASK_EVERY);
  } catch {
    trouble.hidden = false;
    sign.hidden = true;
    setTimeout(follow, ASK_AGAIN);
  }
}

function show(progress) {
  since = progress.since;
  bar.max = progress.total;
  bar.value = progress.done;
  write(bar, progress.text);
  for (const name of ["headline", "text", "counts", "waiting"]) {
    write(root.querySelector(`[data-field=${name}]`), progress[name]);
  }
  root.querySelector("[data-field=waiting]").hidden = progress.waiting === "";
  showStop(progress.stoppable);
  showPhones(progress);
  for (const item of progress.items) showItem(item);
  if (progress.ended || Date.now() - announcedAt > SAY_EVERY) {
    announcedAt = Date.now();
    write(announcer, `${progress.headline}. ${progress.text}. ${progress.counts}`);
  }
}

function showStop(stoppable) {
  const stop = root.querySelector("[data-stop]");
  const focused = stop.contains(document.activeElement);
  stop.hidden = !stoppable;
  // Keep the keyboard focus beside the removed button.
  if (!stoppable && focused) root.querySelector("a.bulk-button").focus();
}

function showPhones({ phones, phonesText }) {
  const part = root.querySelector("[data-phones]");
  part.hidden = phones === "";
  write(part.querySelector("[data-field=phonesText]"), phonesText);
  for (const field of part.querySelectorAll("[name=chosen]")) field.value = phones;
}

function showItem(item) {
  const line = lines.get(item.id);
  if (!line) return;
  line.dataset.result = item.result;
  write(line.querySelector("[data-field=resultName]"), item.resultName);
  write(line.querySelector("[data-field=sentence]"), item.sentence);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

setTimeout(follow, ASK_EVERY);
