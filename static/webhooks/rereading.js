// Decides when a page about webhooks reads itself again.
//
// Workers do not announce deliveries, so that a delivery costs no more. So the page looks soon after
// a change, at the time of a next try, and otherwise ever more rarely.

import { Refresher } from "../messaging/refresh.js";

const SHORTEST = 2_000;
const LONGEST = 30_000;
// A try takes a moment, too.
const AFTER_A_TRY = 500;
// A page takes a tenth of the server's time, however busy its webhooks are; but where the server is
// slow, what the page shows may not be much older.
const REST = 10;
const LONGEST_REST = 10_000;

export class Rereading {
  // `onRead(read)`: whether a reading succeeded. `onGone()`: the page is gone.
  constructor(root, onRead, onGone) {
    this.root = root;
    this.onRead = onRead;
    this.pause = SHORTEST;
    this.least = SHORTEST;
    this.nextTry = Infinity;
    this.refresher = new Refresher(root, (...result) => this.wasRead(...result), onGone);
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.soon()));
    this.wait();
  }

  stop() {
    clearTimeout(this.timer);
    this.refresher.cancel();
  }

  // Something has changed: reads again at once, unless that was done just now.
  soon() {
    this.pause = SHORTEST;
    this.wait(Math.max(0, this.refresher.last + this.least - Date.now()));
  }

  wasRead(changed, milliseconds, read) {
    this.onRead(read);
    this.least = Math.min(Math.max(SHORTEST, milliseconds * REST), LONGEST_REST);
    // A try that has just become due is soon over.
    const soon = changed || this.nextTry <= Date.now();
    this.pause = soon ? SHORTEST : Math.min(this.pause * 2, LONGEST);
    this.wait();
  }

  wait(milliseconds = Math.max(this.pause, this.least)) {
    clearTimeout(this.timer);
    if (document.hidden) return;
    this.nextTry = this.findNextTry();
    this.timer = setTimeout(
      () => this.refresher.soon(),
      Math.min(milliseconds, this.nextTry - Date.now()),
    );
  }

  // Returns when the next try that the page names will have been made, Infinity for none.
  findNextTry() {
    const now = Date.now();
    const times = [...this.root.querySelectorAll("time[data-try]")];
    const ends = times.map((time) => new Date(time.dateTime).getTime() + AFTER_A_TRY);
    return Math.min(...ends.filter((end) => end > now));
  }
}
