// Times as people say them, by the server's clock: the browser's own may be wrong.

const LANGUAGE = document.documentElement.lang || "en";
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "always" });
const DAYS = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeStyle: "long" });
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

  // What the server's clock says now.
  set(now) {
    this.ahead = Date.parse(now) - Date.now();
  }

  get now() {
    return Date.now() + this.ahead;
  }

  // Keep an element saying how long ago something was.
  show(element, at) {
    name(element, at);
    const moment = Date.parse(at);
    this.keep(element, () => ago((this.now - moment) / 1_000));
  }

  // Say once at what time of its day something was.
  stamp(element, at) {
    name(element, at);
    this.kept.delete(element);
    write(element, TIME.format(Date.parse(at)));
  }

  // Keep an element saying whatever `text` makes of the time, second by second.
  keep(element, text) {
    this.kept.set(element, text);
    write(element, text());
  }

  drop(element) {
    this.kept.delete(element);
  }

  // The day of a moment, where the reader is: one word for each day.
  day(at) {
    return new Date(at).toDateString();
  }

  // What people call that day.
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

// Only what differs, so that nothing is drawn or said again in vain.
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
