// A run's page: asks how far it is, and writes down what has changed.

const ASK_EVERY = 1_000;
const ASK_AGAIN = 3_000;
const ANSWER_WITHIN = 10_000;
// A screen reader hears of it now and then, and at the end.
const SAY_EVERY = 10_000;

const root = document.getElementById("bulk");
const bar = root.querySelector("progress");
const announcer = root.querySelector("[data-announcer]");
const trouble = root.querySelector("[data-trouble]");
const lines = new Map();
for (const line of root.querySelectorAll("[data-item]")) lines.set(Number(line.dataset.item), line);

let since = "";
let said = Date.now();

async function ask() {
  const address = new URL(root.dataset.progress, location.href);
  if (since) address.searchParams.set("since", since);
  const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(ANSWER_WITHIN) });
  // Logged out, or no longer allowed: the server says which.
  if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

async function follow() {
  try {
    const told = await ask();
    if (!told) return;
    trouble.hidden = true;
    show(told);
    if (!told.ended) setTimeout(follow, ASK_EVERY);
  } catch {
    trouble.hidden = false;
    setTimeout(follow, ASK_AGAIN);
  }
}

function show(told) {
  since = told.since;
  bar.max = told.total;
  bar.value = told.done;
  write(bar, told.text);
  for (const name of ["headline", "text", "counts", "waiting"]) {
    write(root.querySelector(`[data-field=${name}]`), told[name]);
  }
  root.querySelector("[data-field=waiting]").hidden = told.waiting === "";
  showStop(told.stoppable);
  for (const item of told.items) showItem(item);
  if (told.ended || Date.now() - said > SAY_EVERY) {
    said = Date.now();
    write(announcer, `${told.headline}. ${told.text}. ${told.counts}`);
  }
}

function showStop(stoppable) {
  const stop = root.querySelector("[data-stop]");
  const focused = stop.contains(document.activeElement);
  stop.hidden = !stoppable;
  // Whoever works with the keyboard goes on beside it.
  if (!stoppable && focused) root.querySelector("a.bulk-button").focus();
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
