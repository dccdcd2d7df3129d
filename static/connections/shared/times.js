// Many relative times by the server's clock, as the browser's may be wrong.

const LANGUAGE = document.documentElement.lang || "en";
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE);
const NOW = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" }).format(0, "second");
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export class Times {
  // `root` contains the elements; `words` are the texts before the time of the next attempt.
  constructor(root, { nextTry, trying }) {
    this.root = root;
    this.nextTry = nextTry;
    this.trying = trying;
    this.ahead = 0;
    setInterval(() => this.tick(), 1_000);
  }

  // Returns the current time of the server.
  set(now) {
    this.ahead = Date.parse(now) - Date.now();
  }

  // Shows a time in an element, and keeps it up to date.
  show(element, at) {
    element.hidden = !at;
    if (!at || element.dateTime === at) return;
    element.dateTime = at;
    element.title = EXACT.format(Date.parse(at));
    this.write(element);
  }

  tick() {
    for (const element of this.root.querySelectorAll("time[datetime]:not([hidden])")) this.write(element);
  }

  write(element) {
    const seconds = (Date.parse(element.dateTime) - Date.now() - this.ahead) / 1_000;
    const text = "retry" in element.dataset ? this.until(seconds) : relative(Math.min(0, seconds));
    if (element.textContent !== text) element.textContent = text;
  }

  until(seconds) {
    return seconds <= 0 ? this.trying : `${this.nextTry} ${relative(seconds)}`;
  }
}

function relative(seconds) {
  const size = Math.abs(seconds);
  const found = UNITS.find(([, length]) => size >= length);
  return found ? RELATIVE.format(Math.trunc(seconds / found[1]), found[0]) : NOW;
}
