// The pages about webhooks: they read themselves again when something has changed, or may have.

import { offerCopies } from "../connections/shared/copy.js";
import { showHead } from "../connections/shared/head.js";
import { LiveSign } from "../connections/shared/live_sign.js";
import { LiveSocket } from "../connections/shared/socket.js";
import { showTimes } from "../messaging/times.js";
import { askForPresence } from "./presence.js";
import { Rereading } from "./rereading.js";

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
  // An older page of a list does not change.
  const older = "older" in root.dataset;
  const sign = new LiveSign(root, root.querySelector("[data-banner]"), older ? null : document.querySelector("[data-live-sign]"));
  const address = root.dataset.socket;
  let connected = !address;
  let read = true;
  const show = () => (connected && read ? sign.live() : sign.interrupted());
  let stopAsking = () => {};
  const rereading = new Rereading(
    root,
    (succeeded) => {
      read = succeeded;
      show();
    },
    () => {
      sign.ended(404);
      stopAsking();
    },
  );
  if (!older) rereading.start();
  if (!address) {
    show();
    stopAsking = askForPresence(document.querySelector("[data-session]").dataset.ask, (there) => {
      connected = there;
      show();
    });
    return;
  }
  follow(address, (code) => sign.ended(code), (isConnected, changed) => {
    connected = isConnected;
    show();
    if (changed && !older) rereading.soon();
  });
}

// The socket tells the organization's state above the tabs, and that its log has grown.
function follow(address, ended, onNews) {
  let cursor = null;
  new LiveSocket(address, {
    snapshot: (message) => {
      showHead(message);
      const changed = message.cursor !== cursor;
      cursor = message.cursor;
      onNews(true, changed);
    },
    dropped: () => onNews(false, false),
    ended,
  }).open();
}
