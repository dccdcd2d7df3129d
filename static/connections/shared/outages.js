// The one alarm for what the server or WhatsApp suffers: its causes, how many wait, since when.

const LANGUAGE = document.documentElement.lang || "en";
const TIME = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "short", hourCycle: "h23" });
const DAY_AND_TIME = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "short", timeStyle: "short", hourCycle: "h23" });
const OUTDATED = "client_outdated";

export class Outages {
  constructor(root) {
    this.alarm = root.querySelector("[data-outages]");
    // Since when WhatsApp refuses this version; only the message with all connections says it.
    this.refusedSince = null;
  }

  show(rows) {
    const found = new Map();
    if (this.refusedSince) found.set(OUTDATED, { count: 0, since: this.refusedSince });
    for (const { outage, reason, since } of rows) {
      if (!outage) continue;
      const known = found.get(reason) ?? { count: 0, since };
      found.set(reason, { count: known.count + 1, since: known.since < since ? known.since : since });
    }
    for (const line of this.alarm.querySelectorAll("[data-outage]")) this.write(line, found.get(line.dataset.outage));
    this.alarm.hidden = found.size === 0;
  }

  write(line, outage) {
    line.hidden = !outage;
    if (!outage) return;
    const { one, many, since } = this.alarm.dataset;
    const waiting = (outage.count === 1 ? one : many).replace("{count}", outage.count);
    put(line.querySelector("[data-outage-waiting]"), outage.count ? waiting : "");
    put(line.querySelector("[data-outage-since]"), since.replace("{time}", format(outage.since)));
  }
}

function format(moment) {
  const time = new Date(moment);
  return (time.toDateString() === new Date().toDateString() ? TIME : DAY_AND_TIME).format(time);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
