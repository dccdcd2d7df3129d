// The fleet page's newcomer's card, its line of today, its delivery trouble and silent numbers, and
// what waits in each row.

import { markup, replace } from "./parts.js";

const EVERY = 15_000;

const fleet = document.getElementById("fleet");
let consequences = read();

function read() {
  return JSON.parse(document.getElementById("message-consequences").textContent);
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(fleet.querySelector("[data-traffic-address]").dataset.trafficAddress, { redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.querySelector("[data-traffic]")) return;
    for (const part of ["[data-newcomer]", "[data-traffic]", "[data-silent]", "[data-troubles]"]) take(fleet.querySelector(part), page.querySelector(part));
    consequences = read();
    showConsequences();
  } catch {
    // The fleet's socket already reports that the server is unreachable.
  }
}

function take(place, fresh) {
  if (markup(place) === markup(fresh)) return;
  place.hidden = fresh.hidden;
  replace(place, fresh);
}

// The fleet's script makes and moves the rows.
function showConsequences() {
  for (const row of fleet.querySelectorAll("[data-rows] > li")) {
    const place = row.querySelector("[data-consequence]");
    const text = consequences[row.dataset.organization] ?? "";
    if (place.textContent !== text) place.textContent = text;
    place.hidden = text === "";
  }
}

new MutationObserver((changes) => {
  if (changes.some((change) => change.target.matches("[data-rows]"))) showConsequences();
}).observe(fleet.querySelector("[data-sections]"), { childList: true, subtree: true });
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, EVERY);
