// Takes the parts that have changed from a fresh copy of the page, which the server makes.

import { focusOn, markup, replace, stopsOf } from "./parts.js";
import { showTimes } from "./times.js";

// A burst of messages costs one request in so many milliseconds.
const GATHER = 150;
const PAUSE = 1_000;
const DEADLINE = 10_000;
// After a reading that failed.
const TRY_AGAIN = 3_000;
// What the page shows is not there any more, or not this reader's to see.
const GONE = new Set([403, 404]);

export class Refresher {
  // Calls `onRead(changed, milliseconds, read)` after each reading; `read`: whether it succeeded.
  // Calls `onGone()` once the page is gone, and reads no more.
  constructor(root, onRead = () => {}, onGone = () => {}) {
    this.root = root;
    this.onRead = onRead;
    this.onGone = onGone;
    this.announcer = root.querySelector("[data-announcer]");
    this.known = this.keys(root);
    this.last = 0;
    this.running = false;
    this.again = false;
    this.failing = false;
    this.gone = false;
    this.over = false;
    document.addEventListener("sessionend", () => { this.over = true; });
  }

  // Refreshes within about a second, however often it is called.
  soon() {
    if (this.running) this.again = true;
    else this.timer ??= setTimeout(() => this.refresh(), Math.max(GATHER, this.last + PAUSE - Date.now()));
  }

  // Forgets a reading that has not begun.
  cancel() {
    clearTimeout(this.timer);
    this.timer = null;
    this.again = false;
  }

  async refresh() {
    this.timer = null;
    if (this.over) return;
    this.running = true;
    this.again = this.changed = false;
    const start = Date.now();
    this.failing = !(await this.read());
    this.running = false;
    if (this.gone) {
      this.over = true;
      return this.onGone();
    }
    this.last = Date.now();
    this.onRead(this.changed, this.last - start, !this.failing);
    if (this.failing) this.timer ??= setTimeout(() => this.refresh(), TRY_AGAIN);
    else if (this.again) this.soon();
  }

  // Returns whether the page could be read.
  async read() {
    try {
      const signal = AbortSignal.timeout(DEADLINE);
      const answer = await fetch(location.href, { redirect: "manual", signal });
      if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("sessionend"));
      this.gone = GONE.has(answer.status);
      if (!answer.ok) return false;
      this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      return true;
    } catch {
      return false;
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
    replace(place, fresh);
    if (fresh.dataset.tone) place.dataset.tone = fresh.dataset.tone;
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
    const focused = row.contains(document.activeElement);
    const beside = row.nextElementSibling ?? row.previousElementSibling ?? row.closest("[data-fresh]");
    row.remove();
    if (focused) focusOn(stopsOf(beside)[0] ?? beside);
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
      replace(place, cell);
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
