// The sections of the fleet page: places each connection as the socket's messages say.

import { writeTimes } from "../shared/moments.js";
import { Outages } from "../shared/outages.js";
import { Times } from "../shared/times.js";
import { showCount } from "../shared/title.js";

const OLDEST_FIRST = new Set(["action_needed", "reconnecting", "linking"]);
// Combines concurrent changes into one redraw.
const GATHER = 50;

export class Board {
  // Calls `onActionNeeded(name)` for each connection that starts to need action.
  constructor(root, onActionNeeded) {
    this.root = root;
    this.onActionNeeded = onActionNeeded;
    this.times = new Times(root, root.dataset);
    this.times.set(root.dataset.now);
    this.outages = new Outages(root);
    this.rows = null;
    this.sections = [...root.querySelectorAll("section[data-section]")];
    this.lines = new Map();
    for (const line of root.querySelectorAll("[data-rows] > li")) this.lines.set(Number(line.dataset.organization), line);
  }

  all({ now, refusedSince, connections }) {
    this.times.set(now);
    this.outages.refusedSince = refusedSince;
    const before = this.rows;
    this.rows = new Map(connections.map((row) => [row.organization, row]));
    if (before) for (const row of connections) this.compare(before.get(row.organization), row);
    this.draw();
  }

  one(row) {
    this.compare(this.rows.get(row.organization), row);
    this.rows.set(row.organization, row);
    this.timer ??= setTimeout(() => this.draw(), GATHER);
  }

  remove(organization) {
    this.rows.delete(organization);
    this.timer ??= setTimeout(() => this.draw(), GATHER);
  }

  compare(before, now) {
    if (now.section === "action_needed" && before?.section !== now.section) this.onActionNeeded(now.name);
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = null;
    const focused = document.activeElement;
    const line = focused.closest?.("[data-rows] > li");
    const shown = new Map(this.sections.map((section) => [section, this.rowsOf(section.dataset.section)]));
    this.leave(shown);
    for (const [section, rows] of shown) this.place(section, rows);
    this.count();
    this.outages.show(this.rows.values());
    if (line && (document.activeElement !== focused || !focused.checkVisibility())) this.refocus(focused, line);
  }

  rowsOf(section) {
    const rows = [...this.rows.values()].filter((row) => row.section === section);
    return rows.sort(OLDEST_FIRST.has(section) ? byAge : byName);
  }

  // Removes rows of other sections first, so that the remaining ones need not be moved.
  leave(shown) {
    for (const [section, rows] of shown) {
      const staying = new Set(this.first(rows).map((row) => row.organization));
      for (const line of [...listOf(section).children]) {
        if (!staying.has(Number(line.dataset.organization))) line.remove();
      }
    }
    const kept = new Set([...shown.values()].flatMap((rows) => this.first(rows)).map((row) => row.organization));
    for (const organization of this.lines.keys()) if (!kept.has(organization)) this.lines.delete(organization);
  }

  place(section, rows) {
    const list = listOf(section);
    this.first(rows).forEach((row, at) => {
      const line = this.lineOf(row);
      if (list.children[at] !== line) list.insertBefore(line, list.children[at] ?? null);
      // Highlights a row that has moved from another section.
      line.classList.toggle("arrived", line.dataset.section !== row.section && line.dataset.section !== "");
      line.dataset.section = row.section;
    });
    section.hidden = rows.length === 0 && section.dataset.section !== "action_needed";
    section.querySelector("[data-more]").hidden = rows.length <= Number(this.root.dataset.shown);
  }

  first(rows) {
    return rows.slice(0, Number(this.root.dataset.shown));
  }

  lineOf(row) {
    let line = this.lines.get(row.organization);
    if (!line) {
      line = this.root.querySelector("[data-blank]").content.querySelector("li").cloneNode(true);
      line.dataset.organization = row.organization;
      for (const link of line.querySelectorAll("a")) link.href = link.getAttribute("href").replace("/0/", `/${row.organization}/`);
      const form = line.querySelector("form");
      form.setAttribute("action", form.getAttribute("action").replace("/0/", `/${row.organization}/`));
      this.lines.set(row.organization, line);
    }
    this.fill(line, row);
    return line;
  }

  fill(line, row) {
    if (line.dataset.panel !== row.panel) {
      line.dataset.panel = row.panel;
      line.querySelector("use").setAttribute("href", `#panel-${row.panel}`);
    }
    for (const field of line.querySelectorAll("[data-field]")) {
      const name = field.dataset.field;
      const text = name === "detail" ? writeTimes(row.detail) : row[name];
      if (field.textContent !== text) field.textContent = text;
    }
    this.times.show(line.querySelector("[data-since]"), row.since);
    // The detail says when a ban ends.
    this.times.show(line.querySelector("[data-retry]"), row.reason === "temporarily_banned" ? null : row.retryAt);
    const reconnects = row.canReconnect && row.step === "reconnect";
    line.querySelector("[data-reconnect]").hidden = !reconnects;
    line.querySelector("[data-open]").hidden = reconnects;
  }

  count() {
    const counts = Object.fromEntries(this.sections.map((section) => [section.dataset.section, 0]));
    for (const row of this.rows.values()) counts[row.section] += 1;
    for (const field of this.root.querySelectorAll("[data-count]")) {
      const text = String(counts[field.dataset.count]);
      if (field.textContent !== text) field.textContent = text;
    }
    showCount(counts.action_needed);
    this.root.dataset.mood = healthOf(counts, this.rows.size);
  }

  // Keeps the keyboard focus on the organization after its row has moved.
  refocus(focused, line) {
    const name = line.querySelector("[data-field=name]");
    const section = line.closest("section") ?? this.sections[0];
    const places = [focused, name, section.querySelector("summary"), section.querySelector("h2")];
    places.find((place) => place?.isConnected && place.checkVisibility())?.focus({ preventScroll: true });
  }
}

function listOf(section) {
  return section.querySelector("[data-rows]");
}

// The same order as in organizations/folding.py.
function fold(text) {
  return text.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
}

function byName(one, other) {
  const [first, second] = [one, other].map((row) => fold(row.name));
  if (first !== second) return first < second ? -1 : 1;
  return one.organization - other.organization;
}

function byAge(one, other) {
  return Date.parse(one.since) - Date.parse(other.since) || byName(one, other);
}

// The same rule as in connections/live/fleet.py.
function healthOf(counts, total) {
  if (total === 0) return "empty";
  if (counts.action_needed > 0) return "action";
  const active = total - counts.deactivated;
  return active > 0 && active === counts.connected ? "well" : "quiet";
}
