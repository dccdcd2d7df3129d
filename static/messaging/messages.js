// The messages page: reads itself again whenever its socket says that messages have changed.

import { openCustomer } from "./customer.js";
import { showHead } from "../connections/shared/head.js";
import { LiveSocket } from "../connections/shared/socket.js";
import { write } from "./parts.js";
import { Refresher } from "./refresh.js";
import { showTimes } from "./times.js";
import { takeOver } from "./write.js";

const SESSION_ENDED = 4401;

const root = document.getElementById("messages");
const banner = root.querySelector("[data-banner]");
const sign = document.querySelector("[data-live-sign]");
const refresher = new Refresher(root);
let cursor = null;
let sentence = null;

const address = new URL(root.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");

const socket = new LiveSocket(address, {
  snapshot: (message) => {
    warn("");
    showHead(message);
    // The first message also reads again: something may have come since the server made the page.
    const changed = message.cursor !== cursor || message.sentence !== sentence;
    [cursor, sentence] = [message.cursor, message.sentence];
    if (changed && !("older" in root.dataset)) refresher.soon();
  },
  dropped: () => warn(banner.dataset.dropped),
  ended: (code) => {
    warn(code === SESSION_ENDED ? banner.dataset.ended : banner.dataset.gone);
    banner.querySelector("[data-login]").hidden = code !== SESSION_ENDED;
  },
});
socket.open();
showTimes(root);
setInterval(() => showTimes(root), 15_000);
takeOver(root, () => refresher.soon());
openCustomer(root);
openNamed();

// A link from another page names a place within what is closed at first.
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  const closed = named?.closest("details");
  if (!closed) return;
  closed.open = true;
  named.scrollIntoView({ block: "center" });
  named.focus({ preventScroll: true });
}

function warn(text) {
  sign.hidden = text !== "" || "older" in root.dataset;
  root.toggleAttribute("data-stale", text !== "");
  banner.hidden = text === "";
  write(banner.querySelector("p"), text);
}
