// The history, grouped by day in the reader's time zone. The socket sends the newest events;
// earlier ones are loaded from the page of the link.

import { writeTimes } from "../shared/moments.js";
import { TEXTS, duration, fill } from "../shared/texts.js";

const ANSWER_WITHIN = 15_000;

export class Timeline {
  constructor(root, clock) {
    this.clock = clock;
    this.list = root.querySelector("[data-history]");
    this.empty = root.querySelector("[data-empty]");
    this.title = root.querySelector("#history-title");
    this.newDay = root.querySelector("[data-new-day]").content;
    this.newLine = root.querySelector("[data-new-line]").content;
    this.earlier = root.querySelector("[data-earlier]");
    this.earlier.addEventListener("click", (event) => {
      event.preventDefault();
      this.fetchEarlier();
    });
    this.lines = new Map();
    for (const element of this.list.querySelectorAll("[data-line-id]")) this.adopt(element);
  }

  show(snapshot) {
    const newest = snapshot.present ? [snapshot.present, ...snapshot.history] : snapshot.history;
    this.resetAfterGap(snapshot);
    if (!snapshot.present) this.forget("0");
    for (const line of newest) {
      const id = String(line.id);
      if (!this.lines.has(id)) this.adopt(this.draw(line));
      this.updateLine(this.lines.get(id), line);
    }
    this.empty.hidden = this.lines.size > 0;
    this.lay();
  }

  // Clears the history if events are missing between it and the snapshot.
  resetAfterGap(snapshot) {
    const known = snapshot.history.some((line) => this.lines.has(String(line.id)));
    if (known || !snapshot.earlier) return;
    for (const id of [...this.lines.keys()]) this.forget(id);
    this.earlier.href = `${this.earlier.dataset.address}?before=${encodeURIComponent(snapshot.earlier)}`;
    this.earlier.hidden = false;
  }

  adopt(element) {
    const detail = element.querySelector("[data-detail]");
    if (detail) detail.textContent = writeTimes(detail.dataset.detail);
    this.lines.set(element.dataset.lineId, element);
  }

  forget(id) {
    const element = this.lines.get(id);
    if (!element) return;
    this.clock.drop(element.querySelector(".lasted"));
    this.clock.drop(element.querySelector("time"));
    this.lines.delete(id);
  }

  draw(line) {
    const element = this.newLine.cloneNode(true).firstElementChild;
    element.dataset.lineId = line.id;
    element.querySelector(".actor").textContent = line.actor ? fill(TEXTS.by, { who: line.actor }) : "";
    return element;
  }

  updateLine(element, line) {
    element.dataset.state = line.state;
    const time = element.querySelector("time");
    if (time.dateTime !== line.at) this.laid = "";
    time.dateTime = line.at;
    const text = element.querySelector("p");
    const words = writeTimes(line.detail);
    if (text.textContent.trim() !== `${line.sentence} ${words}`.trim()) {
      const detail = Object.assign(document.createElement("span"), { className: "detail", textContent: words });
      text.replaceChildren(line.sentence, ...(words ? [" ", detail] : []));
    }
    if (line.began) this.updateDuration(element.querySelector(".lasted"), line);
  }

  updateDuration(element, { at, until }) {
    const startedAt = Date.parse(at);
    if (!until) {
      const still = () => fill(TEXTS.lastsStill, { duration: duration((this.clock.now - startedAt) / 1_000) });
      return this.clock.keep(element, still);
    }
    this.clock.drop(element);
    const seconds = (Date.parse(until) - startedAt) / 1_000;
    // Durations below a second are not shown.
    element.textContent = seconds < 1 ? "" : fill(TEXTS.lasted, { duration: duration(seconds) });
  }

  // Groups the events by day, newest first. Today's have relative times, others the time of day.
  lay() {
    const today = this.clock.day(this.clock.now);
    const laid = [today, ...this.lines.keys()].join();
    if (this.laid === laid) return;
    this.laid = laid;
    const days = new Map();
    for (const element of [...this.lines.values()].sort(newestFirst)) {
      const time = element.querySelector("time");
      const at = time.getAttribute("datetime");
      const day = this.clock.day(at);
      if (!days.has(day)) days.set(day, this.drawDay(at));
      days.get(day).querySelector("ol").append(element);
      if (day === today) this.clock.show(time, at);
      else this.clock.stamp(time, at);
    }
    this.list.replaceChildren(...days.values());
  }

  drawDay(at) {
    const day = this.newDay.cloneNode(true).firstElementChild;
    day.querySelector("h3").textContent = this.clock.dayName(at);
    return day;
  }

  // Loads the page of the link and appends its events.
  async fetchEarlier() {
    if (this.earlier.ariaBusy === "true") return;
    this.earlier.ariaBusy = "true";
    try {
      const answer = await fetch(this.earlier.href, { signal: AbortSignal.timeout(ANSWER_WITHIN) });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      location.assign(this.earlier.href);
    } finally {
      this.earlier.ariaBusy = null;
    }
  }

  take(page) {
    for (const element of page.querySelectorAll("[data-line-id]")) {
      if (!this.lines.has(element.dataset.lineId)) this.adopt(document.importNode(element, true));
    }
    const next = page.querySelector("[data-earlier]")?.getAttribute("href");
    this.earlier.hidden = !next;
    if (next) this.earlier.href = new URL(next, this.earlier.href);
    else this.title.focus();
    this.lay();
  }
}

function newestFirst(one, other) {
  const [first, second] = [one, other].map((line) => Number(line.dataset.lineId));
  // An event that is not stored has id 0 and describes the current state.
  if (!first || !second) return first - second;
  return moment(other) - moment(one) || second - first;
}

const moment = (line) => Date.parse(line.querySelector("time").getAttribute("datetime"));
