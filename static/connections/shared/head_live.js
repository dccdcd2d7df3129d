// Keeps the state above the tabs up to date on pages that have no other socket.

import { showHead } from "./head.js";
import { LiveSign } from "./live_sign.js";
import { LiveSocket } from "./socket.js";

const head = document.querySelector("[data-head]");

if (head && !document.querySelector("[data-socket]")) {
  const sign = new LiveSign(head, document.querySelector("[data-head-banner]"), document.querySelector("[data-live-sign]"));
  new LiveSocket(head.dataset.headSocket, {
    snapshot: (message) => {
      sign.live();
      showHead(message);
    },
    dropped: () => sign.interrupted(),
    ended: (code) => sign.ended(code),
  }).open();
}
