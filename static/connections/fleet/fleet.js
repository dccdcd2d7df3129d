// The fleet page: updates the server's HTML and announces changes.

import { Announcer } from "./announcer.js";
import { Board } from "./board.js";
import { LiveSocket } from "../shared/socket.js";

const ASK_EVERY = 30_000;
const GATHER = 1_000;
const CHART_EVERY = 300_000;
const SESSION_ENDED = 4401;
const OUTDATED = "client_outdated";

// Polls less often than the page of a single connection: the answer has all connections.
class FleetSocket extends LiveSocket {
  receive(message) {
    super.receive(message);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ASK_EVERY);
  }
}

let refreshTimer = null;
const root = document.getElementById("fleet");
const sign = document.querySelector("[data-live-sign]");
const banner = root.querySelector("[data-banner]");
const announcer = new Announcer(root.querySelector("[data-announcer]"));
const board = new Board(root, (name) => announcer.add(name));

const address = new URL(root.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");

const socket = new FleetSocket(address, {
  snapshot: (message) => {
    warn("");
    if (message.type === "connections") board.all(message);
    else if (message.type === "connection") changed(message.connection);
    else board.remove(message.organization);
  },
  dropped: () => warn(banner.dataset.dropped),
  ended: (code) => {
    warn(banner.dataset.ended);
    banner.querySelector("[data-login]").hidden = code !== SESSION_ENDED;
  },
});
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

function warn(text) {
  root.toggleAttribute("data-stale", text !== "");
  sign.hidden = text !== "";
  banner.hidden = text === "";
  const paragraph = banner.querySelector("p");
  if (paragraph.textContent !== text) paragraph.textContent = text;
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
