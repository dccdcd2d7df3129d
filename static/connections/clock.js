// Times as people say them, by the server's clock: the browser's own may be wrong.

const LANGUAGE = document.documentElement.lang || "en";
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "always" });
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeStyle: "long" });
const TIME = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export class Clock {
  constructor() {
    this.ahead = 0;
    setInterval(() => this.tick(), 1_000);
  }

  // What the server's clock says now.
  set(now) {
    this.ahead = Date.parse(now) - Date.now();
  }

  // Keep an element saying how long ago something was.
  show(element, at) {
    this.element = element;
    this.at = at;
    element.dateTime = at;
    element.title = EXACT.format(Date.parse(at));
    this.tick();
  }

  // Say once when something was.
  stamp(element, at) {
    const moment = new Date(at);
    const today = moment.toDateString() === new Date().toDateString();
    element.dateTime = at;
    element.title = EXACT.format(moment);
    element.textContent = today ? TIME.format(moment) : `${DAY.format(moment)}, ${TIME.format(moment)}`;
  }

  tick() {
    if (!this.element) return;
    const text = ago((Date.now() + this.ahead - Date.parse(this.at)) / 1_000);
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}

function ago(seconds) {
  if (seconds < 2) return "just now";
  const [unit, size] = UNITS.find(([, size]) => seconds >= size);
  return RELATIVE.format(-Math.floor(seconds / size), unit);
}
