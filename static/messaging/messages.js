// The messages page: reads itself again whenever its socket says that messages have changed.

import { openCustomer } from "./customer.js";
import { showHead } from "../connections/shared/head.js";
import { LiveSign } from "../connections/shared/live_sign.js";
import { LiveSocket } from "../connections/shared/socket.js";
import { Refresher } from "./refresh.js";
import { showTimes } from "./times.js";
import { takeOver } from "./write.js";

const root = document.getElementById("messages");
const older = "older" in root.dataset;
const sign = new LiveSign(root, root.querySelector("[data-banner]"), older ? null : document.querySelector("[data-live-sign]"));
let connected = false;
const refresher = new Refresher(
  root,
  (_changed, _milliseconds, read) => showLive(read),
  () => sign.ended(404),
);
let cursor = null;
let sentence = null;

const socket = new LiveSocket(root.dataset.socket, {
  snapshot: (message) => {
    connected = true;
    showLive(!refresher.failing);
    showHead(message);
    // The first message also reads again: something may have come since the server made the page.
    const changed = message.cursor !== cursor || message.sentence !== sentence;
    [cursor, sentence] = [message.cursor, message.sentence];
    if (!changed) return;
    root.dispatchEvent(new Event("messageschange"));
    if (!older) refresher.soon();
  },
  dropped: () => {
    connected = false;
    sign.interrupted();
  },
  ended: (code) => sign.ended(code),
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

// The socket may be there while the page cannot be read.
function showLive(read) {
  if (!read) sign.interrupted();
  else if (connected) sign.live();
}
