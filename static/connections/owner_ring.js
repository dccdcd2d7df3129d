// The seconds that a code is still good for, as words and as a ring.

const TICK = 250;

export class Ring {
  constructor(root, words) {
    this.clock = root.querySelector("[data-clock]");
    this.ring = root.querySelector("[data-ring]");
    this.left = root.querySelector("[data-left]");
    this.words = words;
  }

  start(left, all) {
    this.ends = performance.now() + left * 1000;
    this.all = all;
    this.clock.removeAttribute("hidden");
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), TICK);
    this.tick();
  }

  stop() {
    clearInterval(this.timer);
    this.clock.setAttribute("hidden", "");
    this.left.textContent = "";
  }

  tick() {
    const left = Math.max(0, (this.ends - performance.now()) / 1000);
    const text = this.words(Math.ceil(left));
    if (this.left.textContent !== text) this.left.textContent = text;
    this.ring.setAttribute("stroke-dashoffset", String(100 - 100 * Math.min(1, left / this.all)));
    if (left === 0) clearInterval(this.timer);
  }
}
