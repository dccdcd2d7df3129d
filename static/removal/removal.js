// The page of a removal, which reads itself again until the removal is over.

import { LiveSign } from "../connections/shared/live_sign.js";
import { Refresher } from "../messaging/refresh.js";
import { showTimes } from "../messaging/times.js";

const EVERY = 5_000;

const root = document.querySelector("[data-removal]");
const liveSign = root.querySelector("[data-live-sign]");
const sign = new LiveSign(root, root.querySelector("[data-banner]"), liveSign);
const refresher = new Refresher(
  root,
  (_changed, _milliseconds, read) => show(read),
  () => sign.ended(404),
);
let timer = null;

function show(read) {
  if (read) sign.live();
  else sign.interrupted();
  if (isOver()) liveSign.hidden = true;
  wait();
}

// A reading that failed is tried again by the refresher.
function wait() {
  clearTimeout(timer);
  if (!isOver() && !refresher.failing && !document.hidden) timer = setTimeout(() => refresher.soon(), EVERY);
}

function isOver() {
  return root.querySelector("[data-over]") !== null;
}

showTimes(root);
show(true);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) wait();
  else if (!isOver()) refresher.soon();
});
