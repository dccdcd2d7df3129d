// Relative and absolute times by the server's clock, as the browser's may be wrong.

const LANGUAGE = document.documentElement.lang || "en";
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "always" });
const DAYS = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
const TIME = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DATE = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const NOW = DAYS.format(0, "second");
const DAY = 86_400_000;

export class Clock {
  constructor() {
    this.ahead = 0;
    this.kept = new Map();
    setInterval(() => this.tick(), 1_000);
  }

  // Returns the current time of the server.
  set(now) {
    this.ahead = Date.parse(now) - Date.now();
  }

  get now() {
    return Date.now() + this.ahead;
  }

  // Shows how long ago something was, and updates the text.
  show(element, at) {
    name(element, at);
    const moment = Date.parse(at);
    this.keep(element, () => ago((this.now - moment) / 1_000));
  }

  // Shows the time of day of something.
  stamp(element, at) {
    name(element, at);
    this.kept.delete(element);
    write(element, TIME.format(Date.parse(at)));
  }

  // Shows the result of `text()`, and updates it every second.
  keep(element, text) {
    this.kept.set(element, text);
    write(element, text());
  }

  drop(element) {
    this.kept.delete(element);
  }

  // Returns a key for the day of a time in the reader's time zone.
  day(at) {
    return new Date(at).toDateString();
  }

  // Returns the name of that day.
  dayName(at) {
    const daysAgo = Math.round((midnight(this.now) - midnight(Date.parse(at))) / DAY);
    const date = DATE.format(Date.parse(at));
    return daysAgo < 2 ? `${capital(DAYS.format(-daysAgo, "day"))}, ${date}` : capital(date);
  }

  tick() {
    for (const [element, text] of this.kept) write(element, text());
  }
}

export const exact = (at) => EXACT.format(Date.parse(at));

// Writes only changes, to avoid redrawing and repeated announcements.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function name(element, at) {
  element.dateTime = at;
  element.title = exact(at);
}

function midnight(moment) {
  return new Date(moment).setHours(0, 0, 0, 0);
}

function capital(text) {
  return text.charAt(0).toLocaleUpperCase(LANGUAGE) + text.slice(1);
}

function ago(seconds) {
  if (seconds < 2) return NOW;
  const [unit, size] = UNITS.find(([, size]) => seconds >= size);
  return RELATIVE.format(-Math.floor(seconds / size), unit);
}
