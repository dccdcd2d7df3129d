// The uptime, which the server renders. A change of the state or of the server's date reloads it.

import { writeTimes } from "../shared/moments.js";

const SOON = 1_000;

export class Uptime {
  constructor(root) {
    this.root = root;
    this.showSince();
  }

  // Since when is a time of the reader's zone; the days are the server's.
  showSince() {
    const time = this.root.querySelector(".uptime-sum time");
    if (time) time.textContent = writeTimes(time.getAttribute("datetime"));
  }

  update({ state, today }) {
    const before = this.drawn;
    this.drawn = `${state} ${today}`;
    if (before === undefined || before === this.drawn) return;
    clearTimeout(this.timer);
    // Randomized, so that not all pages reload at the same time.
    this.timer = setTimeout(() => this.redraw(), SOON * (1 + Math.random()));
  }

  async redraw() {
    try {
      const answer = await fetch(this.root.dataset.here);
      if (!answer.ok || answer.redirected) return;
      this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The socket already reports that the server is unreachable; its next snapshot tries again.
      this.drawn = "";
    }
  }

  take(page) {
    const drawn = page.querySelectorAll("[data-uptime] [data-redrawn]");
    this.root.querySelectorAll("[data-uptime] [data-redrawn]").forEach((old, at) => {
      old.replaceWith(document.importNode(drawn[at], true));
    });
    this.showSince();
  }
}
