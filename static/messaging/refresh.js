// Takes the parts that have changed from a fresh copy of the page, which the server makes.

import { markup } from "./parts.js";
import { showTimes } from "./times.js";

// A burst of messages costs one request in so many milliseconds.
const GATHER = 150;
const PAUSE = 1_000;
const DEADLINE = 20_000;
const STOPS = "a, button, summary";

export class Refresher {
  // Calls `onRead(changed, milliseconds)` after each reading, also after one that failed.
  constructor(root, onRead = () => {}) {
    this.root = root;
    this.onRead = onRead;
    this.announcer = root.querySelector("[data-announcer]");
    this.known = this.keys(root);
    this.last = 0;
    this.running = false;
    this.again = false;
  }

  // Refreshes within about a second, however often it is called.
  soon() {
    if (this.running) this.again = true;
    else this.timer ??= setTimeout(() => this.refresh(), Math.max(GATHER, this.last + PAUSE - Date.now()));
  }

  async refresh() {
    this.timer = null;
    this.running = true;
    this.again = this.changed = false;
    const start = Date.now();
    try {
      const signal = AbortSignal.timeout(DEADLINE);
      const answer = await fetch(location.href, { redirect: "error", signal });
      if (answer.ok) this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The socket already reports that the server is unreachable.
    } finally {
      this.running = false;
      this.last = Date.now();
      this.onRead(this.changed, this.last - start);
      if (this.again) this.soon();
    }
  }

  take(page) {
    for (const fresh of page.querySelectorAll("[data-fresh]")) {
      const place = this.root.querySelector(`[data-fresh="${fresh.dataset.fresh}"]`);
      if (!place) continue;
      if (fresh.dataset.fresh === "rows") this.placeRows(place, fresh);
      else this.place(place, fresh);
    }
    showTimes(this.root);
  }

  place(place, fresh) {
    showTimes(fresh);
    keepOpen(place, fresh);
    if (markup(place) === markup(fresh)) return;
    this.changed = true;
    const focused = place.contains(document.activeElement) ? document.activeElement : null;
    const same = focused && [...place.querySelectorAll(STOPS)].indexOf(focused);
    place.replaceChildren(...fresh.childNodes);
    if (focused) place.querySelectorAll(STOPS)[same]?.focus({ preventScroll: true });
  }

  // Keeps the rows that have not changed, with the focus in them.
  placeRows(place, fresh) {
    const [list, wanted] = [place, fresh].map((each) => each.querySelector("tbody"));
    if (!list || !wanted) this.place(place, fresh);
    else {
      const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
      const keys = new Set([...wanted.children].map((row) => row.dataset.key));
      for (const [key, row] of rows) if (!keys.has(key)) this.remove(row);
      [...wanted.children].forEach((row, at) => {
        const kept = this.kept(rows.get(row.dataset.key), row);
        if (list.children[at] !== kept) list.insertBefore(kept, list.children[at] ?? null);
      });
    }
    this.announce();
  }

  remove(row) {
    this.changed = true;
    row.remove();
  }

  kept(old, row) {
    if (!old) {
      this.changed = true;
      row.classList.add("arrived");
      return row;
    }
    showTimes(row);
    for (const [at, cell] of [...row.children].entries()) {
      const place = old.children[at];
      if (markup(place) === markup(cell)) continue;
      this.changed = true;
      place.replaceChildren(...cell.childNodes);
    }
    old.dataset.tone = row.dataset.tone;
    return old;
  }

  announce() {
    const keys = this.keys(this.root);
    const count = [...keys].filter((key) => !this.known.has(key)).length;
    this.known = keys;
    if (!count) return;
    const { one, many } = this.announcer.dataset;
    this.announcer.textContent = count === 1 ? one : many.replace("{count}", count);
  }

  keys(root) {
    return new Set([...root.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
  }
}

// Opens in a fresh copy what people have opened.
function keepOpen(place, fresh) {
  for (const open of place.querySelectorAll("[data-key] details[open]")) {
    const key = CSS.escape(open.closest("[data-key]").dataset.key);
    fresh.querySelector(`[data-key="${key}"] details`)?.setAttribute("open", "");
  }
}
