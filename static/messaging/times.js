// Shows the times of the page in the reader's language and time zone.

const LANGUAGE = document.documentElement.lang || "en";
// As the server writes them, also where the language has an "AM".
const CLOCK = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const DAY_OF_ANOTHER_YEAR = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric" });
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
const RELATIVE = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const text = textOf(time, at);
    if (time.textContent !== text) time.textContent = text;
    const title = EXACT.format(at);
    if (time.title !== title) time.title = title;
  }
}

function textOf(time, at) {
  if ("ago" in time.dataset) return ago((Date.now() - at) / 1_000);
  if ("clock" in time.dataset || isToday(at)) return CLOCK.format(at);
  const thisYear = at.getFullYear() === new Date().getFullYear();
  return `${(thisYear ? DAY : DAY_OF_ANOTHER_YEAR).format(at)}, ${CLOCK.format(at)}`;
}

function isToday(at) {
  return at.toDateString() === new Date().toDateString();
}

function ago(seconds) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  if (unit === "second") return RELATIVE.format(0, "second");
  return RELATIVE.format(-Math.floor(seconds / size), unit);
}
