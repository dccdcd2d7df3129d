// The seconds that the shown code is still good for, as a number and as a ring.

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
    this.write(`${Math.ceil(left)} s left`);
    this.ring.setAttribute("stroke-dashoffset", String(100 - 100 * Math.min(1, left / this.all)));
    if (left > 0) return;
    clearInterval(this.timer);
    this.expired();
  }
}
