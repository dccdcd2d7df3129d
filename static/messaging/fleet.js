// The line of today's messages on the fleet page, and what waits in each organization's row.

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
    const fresh = page.querySelector("[data-traffic]");
    if (fresh) replace(fleet.querySelector("[data-traffic]"), fresh);
  } catch {
    // The fleet's socket already reports that the server is unreachable.
  }
}

function replace(place, fresh) {
  if (place.innerHTML !== fresh.innerHTML) {
    const at = [...place.querySelectorAll("a")].indexOf(document.activeElement);
    place.replaceChildren(...fresh.childNodes);
    if (at >= 0) place.querySelectorAll("a")[at]?.focus({ preventScroll: true });
  }
  consequences = read();
  showConsequences();
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
