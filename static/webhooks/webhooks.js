// The pages about webhooks: they read themselves again when something has changed, or may have.

import { offerCopies } from "../connections/shared/copy.js";
import { showHead } from "../connections/shared/head.js";
import { LiveSocket } from "../connections/shared/socket.js";
import { showTimes } from "../messaging/times.js";
import { write } from "../messaging/parts.js";
import { Rereading } from "./rereading.js";

const SESSION_ENDED = 4401;

const root = document.querySelector("[data-webhooks]");
const once = document.querySelector("[data-once]");

if (once) {
  // Reloading would submit the form again, and make another secret; it opens the webhook instead.
  history.replaceState(null, "", once.dataset.once);
}
offerCopies(document);
if (root) start();
else showTimes(document.getElementById("content"));

function start() {
  showTimes(root);
  setInterval(() => showTimes(root), 15_000);
  if ("older" in root.dataset) return;
  const rereading = new Rereading(root);
  rereading.start();
  if (root.dataset.socket) follow(() => rereading.soon());
}

// The socket tells the organization's state above the tabs, that its log has grown, and that the
// session has ended.
function follow(onChange) {
  let cursor = null;
  const banner = root.querySelector("[data-banner]");
  const sign = document.querySelector("[data-live-sign]");
  const address = new URL(root.dataset.socket, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  new LiveSocket(address, {
    snapshot: (message) => {
      warn("");
      showHead(message);
      if (message.cursor !== cursor) onChange();
      cursor = message.cursor;
    },
    dropped: () => warn(banner.dataset.dropped),
    ended: (code) => {
      warn(code === SESSION_ENDED ? banner.dataset.ended : banner.dataset.gone);
      banner.querySelector("[data-login]").hidden = code !== SESSION_ENDED;
    },
  }).open();

  function warn(text) {
    sign.hidden = text !== "";
    root.toggleAttribute("data-stale", text !== "");
    banner.hidden = text === "";
    write(banner.querySelector("p"), text);
  }
}
