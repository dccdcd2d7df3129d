// The remaining seconds of the shown code, as text and as a ring.

import { TEXTS, duration, fill } from "../shared/texts.js";

const TICK = 250;

export class Countdown {
  constructor(root, write, expired) {
    this.clock = root.querySelector("[data-countdown]");
    this.ring = root.querySelector("[data-ring]");
    this.write = write;
    this.expired = expired;
  }

  start(left, all) {
    this.ends = Date.now() + left * 1000;
    this.all = all;
    this.clock.removeAttribute("hidden");
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), TICK);
    this.tick();
  }

  stop() {
    clearInterval(this.timer);
    this.clock.setAttribute("hidden", "");
    this.write("");
  }

  tick() {
    const left = Math.max(0, (this.ends - Date.now()) / 1000);
    const count = Math.ceil(left);
    this.write(
      count > 60
        ? fill(TEXTS.timeLeft, { duration: duration(count) })
        : fill(count === 1 ? TEXTS.secondLeft : TEXTS.secondsLeft, { count }),
    );
    this.ring.setAttribute("stroke-dashoffset", String(100 - 100 * Math.min(1, left / this.all)));
    if (left > 0) return;
    clearInterval(this.timer);
    this.expired();
  }
}
