// Says whether a page is live: by a sign, or by a banner with the reason why it is not.

const SESSION_ENDED = 4401;

export class LiveSign {
  // `root` is marked while it is not live; `banner` has the texts; a page of old rows has no sign.
  constructor(root, banner, sign) {
    this.root = root;
    this.banner = banner;
    this.sign = sign;
    this.over = false;
    document.addEventListener("sessionend", () => this.ended(SESSION_ENDED));
  }

  live() {
    this.show(true, "");
  }

  interrupted() {
    this.show(false, this.banner.dataset.dropped);
  }

  // `code`: of the socket, or 404 for a page that is gone; the banner may have a link for that.
  // That a session has ended is said on all pages alike (organizations/session.js).
  ended(code) {
    this.over = false;
    this.show(false, code === SESSION_ENDED ? "" : this.banner.dataset.gone ?? "");
    const link = this.banner.querySelector("a");
    if (link) link.hidden = code === SESSION_ENDED;
    this.over = true;
  }

  show(live, text) {
    if (this.over) return;
    if (this.sign) this.sign.hidden = !live;
    this.root.toggleAttribute("data-stale", !live);
    this.banner.hidden = text === "";
    const words = this.banner.querySelector("p");
    if (words.textContent !== text) words.textContent = text;
  }
}
