// The fleet page: keeps what the server has drawn up to date, and says what is new.

import { Announcer } from "./fleet_announcer.js";
import { Board } from "./fleet_board.js";
import { LiveSocket } from "./socket.js";

const ASK_EVERY = 30_000;
const GATHER = 1_000;
const CHART_EVERY = 300_000;
const SESSION_ENDED = 4401;
const OUTDATED = "client_outdated";

// All of them are much to ask for as often as one page asks for one.
class FleetSocket extends LiveSocket {
  heard(told) {
    super.heard(told);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ASK_EVERY);
  }
}

let asking = null;
const root = document.getElementById("fleet");
const sign = document.querySelector("[data-live-sign]");
const banner = root.querySelector("[data-banner]");
const announcer = new Announcer(root.querySelector("[data-announcer]"));
const board = new Board(root, (name) => announcer.tell(name));

const address = new URL(root.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");

const socket = new FleetSocket(address, {
  snapshot: (told) => {
    warn("");
    if (told.type === "connections") board.all(told);
    else if (told.type === "connection") changed(told.connection);
    else board.remove(told.organization);
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
  // Whether that is so for all of them is told with all of them.
  if (row.reason !== OUTDATED || !root.querySelector("[data-alarm]").hidden) return;
  asking ??= setTimeout(() => {
    asking = null;
    socket.ask();
  }, GATHER);
}

function warn(text) {
  root.toggleAttribute("data-stale", text !== "");
  sign.hidden = text !== "";
  banner.hidden = text === "";
  const said = banner.querySelector("p");
  if (said.textContent !== text) said.textContent = text;
}

// The charts are the server's to draw; what they tell changes slowly.
async function redrawCharts() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const charts = page.querySelector("[data-charts]");
    if (charts) root.querySelector("[data-charts]").replaceWith(charts);
  } catch {
    // The socket says that the server is away.
  }
}
setInterval(redrawCharts, CHART_EVERY);
