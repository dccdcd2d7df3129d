// The simulated customer's phone: submits what she writes, and keeps her conversation up to date.

import { markup, post, write } from "./parts.js";
import { showTimes } from "./times.js";

// Ever more rarely while nothing happens.
const SHORTEST = 2_000;
const LONGEST = 30_000;
const DEADLINE = 15_000;

export function openCustomer(root) {
  const drawer = root.querySelector("[data-customer]");
  if (!drawer) return;
  const form = drawer.querySelector("form");
  const reading = new Reading(drawer, form.action);
  drawer.addEventListener("toggle", () => reading.soon());
  document.addEventListener("visibilitychange", () => reading.soon());
  // The page has been told that messages have changed.
  root.addEventListener("messageschange", () => reading.soon());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const problem = await send(form);
    form.ariaBusy = null;
    write(drawer.querySelector("[data-customer-problem]"), problem);
    if (!problem) form.reset();
    reading.soon();
  });
  drawer.querySelector("[data-answer]").addEventListener("click", () => {
    const number = drawer.querySelector("[data-customer-number]").textContent;
    root.dispatchEvent(new CustomEvent("write-to", { detail: number }));
  });
}

async function send(form) {
  try {
    return (await post(form)).problem;
  } catch {
    return form.dataset.unreachable;
  }
}

class Reading {
  constructor(drawer, address) {
    this.drawer = drawer;
    this.address = address;
    this.soon();
  }

  soon() {
    this.pause = SHORTEST;
    this.read();
  }

  async read() {
    clearTimeout(this.timer);
    if (!this.drawer.open || document.hidden) return;
    this.pause = (await read(this.drawer, this.address)) ? SHORTEST : Math.min(this.pause * 2, LONGEST);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), this.pause);
  }
}

// Returns whether the conversation has changed.
async function read(drawer, address) {
  try {
    const answer = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(DEADLINE) });
    return answer.ok && show(drawer, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The page's socket already reports that the server is unreachable.
    return false;
  }
}

function show(drawer, page) {
  const [talk, fresh] = [drawer, page].map((each) => each.querySelector("[data-talk]"));
  if (!fresh) return false;
  showTimes(fresh);
  const number = page.querySelector("[data-customer-number]").textContent;
  write(drawer.querySelector("[data-customer-number]"), number);
  drawer.querySelector("[data-answer]").hidden = number === "";
  // A phone may have been linked since the page was made.
  for (const field of drawer.querySelectorAll("form :is(input, button)")) field.disabled = number === "";
  if (markup(talk) === markup(fresh)) return false;
  talk.replaceChildren(...fresh.childNodes);
  talk.scrollTop = talk.scrollHeight;
  return true;
}
