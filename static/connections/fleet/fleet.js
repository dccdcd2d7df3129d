// The fleet page: updates the server's HTML and announces changes.

import { Announcer } from "./announcer.js";
import { Board } from "./board.js";
import { LiveSign } from "../shared/live_sign.js";
import { LiveSocket } from "../shared/socket.js";

// The answer has all connections.
const ASK_EVERY = 60_000;
const GATHER = 1_000;
const CHART_EVERY = 300_000;
const OUTDATED = "client_outdated";

let refreshTimer = null;
const root = document.getElementById("fleet");
const sign = new LiveSign(root, root.querySelector("[data-banner]"), document.querySelector("[data-live-sign]"));
const announcer = new Announcer(root.querySelector("[data-announcer]"));
const board = new Board(root, (name) => announcer.add(name));

const socket = new LiveSocket(root.dataset.socket, {
  snapshot: (message) => {
    sign.live();
    if (message.type === "connections") board.all(message);
    else if (message.type === "connection") changed(message.connection);
    else board.remove(message.organization);
  },
  dropped: () => sign.interrupted(),
  ended: (code) => sign.ended(code),
}, ASK_EVERY);
socket.open();

function changed(row) {
  board.one(row);
  // `refusedSince` comes only with the message that has all connections.
  if (row.reason !== OUTDATED || board.outages.refusedSince) return;
  refreshTimer ??= setTimeout(() => {
    refreshTimer = null;
    socket.ask();
  }, GATHER);
}

// The server draws the charts, which change slowly.
async function redrawCharts() {
  if (document.hidden) return;
  try {
    await takeFrom(location.href, "[data-charts]");
  } catch {
    // The socket already reports that the server is unreachable.
  }
}

async function takeFrom(address, ...parts) {
  const answer = await fetch(address, { redirect: "error" });
  if (!answer.ok) throw new Error(answer.statusText);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) root.querySelector(part).replaceWith(page.querySelector(part));
}

root.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-chart-title] a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    await takeFrom(link.href, "[data-chart-title]", "[data-charts]");
    history.replaceState(null, "", link.href);
    root.querySelector("[data-chart-title] [aria-current]").focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});
setInterval(redrawCharts, CHART_EVERY);
