// Times within texts: the server sends them in ISO 8601, readers get them in their language and zone.

const LANGUAGE = document.documentElement.lang || "en";
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00/g;

// Formats a time to the minute.
export const moment = (iso) => MOMENT.format(Date.parse(iso));

export function writeTimes(text) {
  return text.replace(ISO, moment);
}
