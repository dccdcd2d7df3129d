// The uptime is drawn by the server. When the state has changed, it is drawn anew.

const SOON = 1_000;

export class Uptime {
  constructor(root) {
    this.root = root;
  }

  heard(state) {
    const before = this.state;
    this.state = state;
    if (before === undefined || before === state) return;
    clearTimeout(this.timer);
    // Scattered, so that not all who watch ask in the same instant.
    this.timer = setTimeout(() => this.redraw(), SOON * (1 + Math.random()));
  }

  async redraw() {
    try {
      const answer = await fetch(this.root.dataset.here);
      if (!answer.ok || answer.redirected) return;
      this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The socket says already that the server is away; the next change brings another try.
    }
  }

  take(page) {
    const drawn = page.querySelectorAll("[data-uptime] [data-redrawn]");
    this.root.querySelectorAll("[data-uptime] [data-redrawn]").forEach((old, at) => {
      old.replaceWith(document.importNode(drawn[at], true));
    });
  }
}
