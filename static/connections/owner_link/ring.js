// The remaining seconds of a code, as texts and as rings.

const TICK = 250;

export class Ring {
  constructor(root, format, expired) {
    this.clocks = root.querySelectorAll("[data-clock]");
    this.rings = root.querySelectorAll("[data-ring]");
    this.lefts = root.querySelectorAll("[data-left]");
    this.format = format;
    this.expired = expired;
  }

  start(left, all) {
    this.ends = Date.now() + left * 1000;
    this.all = all;
    for (const clock of this.clocks) clock.removeAttribute("hidden");
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), TICK);
    this.tick();
  }

  stop() {
    clearInterval(this.timer);
    for (const clock of this.clocks) clock.setAttribute("hidden", "");
    for (const element of this.lefts) element.textContent = "";
  }

  tick() {
    const left = Math.max(0, (this.ends - Date.now()) / 1000);
    const text = this.format(Math.ceil(left));
    for (const element of this.lefts) if (element.textContent !== text) element.textContent = text;
    const gone = String(100 - 100 * Math.min(1, left / this.all));
    for (const ring of this.rings) ring.setAttribute("stroke-dashoffset", gone);
    if (left > 0) return;
    clearInterval(this.timer);
    this.expired();
  }
}
