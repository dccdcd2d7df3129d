// The simulated customer's phone: submits what she writes, and keeps her conversation up to date.

import { markup, post, write } from "./parts.js";
import { showTimes } from "./times.js";

const EVERY = 2_000;

export function openCustomer(root) {
  const drawer = root.querySelector("[data-customer]");
  if (!drawer) return;
  const form = drawer.querySelector("form");
  const refresh = () => drawer.open && !document.hidden && read(drawer, form.action);
  drawer.addEventListener("toggle", refresh);
  setInterval(refresh, EVERY);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const problem = await send(form);
    form.ariaBusy = null;
    write(drawer.querySelector("[data-customer-problem]"), problem);
    if (!problem) form.reset();
    refresh();
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

async function read(drawer, address) {
  try {
    const answer = await fetch(address, { redirect: "error" });
    if (answer.ok) show(drawer, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The page's socket already reports that the server is unreachable.
  }
}

function show(drawer, page) {
  const [talk, fresh] = [drawer, page].map((each) => each.querySelector("[data-talk]"));
  if (!fresh) return;
  showTimes(fresh);
  const number = page.querySelector("[data-customer-number]").textContent;
  write(drawer.querySelector("[data-customer-number]"), number);
  drawer.querySelector("[data-answer]").hidden = number === "";
  // A phone may have been linked since the page was made.
  for (const field of drawer.querySelectorAll("form :is(input, button)")) field.disabled = number === "";
  if (markup(talk) === markup(fresh)) return;
  talk.replaceChildren(...fresh.childNodes);
  talk.scrollTop = talk.scrollHeight;
}
