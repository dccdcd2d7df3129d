// The list of connections: updates its rows. The server decides which rows there are.

import { LiveSign } from "../shared/live_sign.js";
import { writeTimes } from "../shared/moments.js";
import { Outages } from "../shared/outages.js";
import { Times } from "../shared/times.js";
import { LiveSocket } from "../shared/socket.js";
import { showCount } from "../shared/title.js";

// The answer has all connections.
const ASK_EVERY = 60_000;
const UNATTENDED = new Set(["worker_offline", "no_room", "service_restarted"]);
const AT_REST = new Set(["connected", "disconnected"]);

const notes = document.querySelector("[data-list]");
const sign = new LiveSign(notes, notes.querySelector("[data-banner]"), notes.querySelector("[data-live]"));
const lines = new Map();
for (const pill of document.querySelectorAll("#result_list [data-organization]")) {
  lines.set(Number(pill.dataset.organization), pill.closest("tr"));
}
const times = new Times(document.getElementById("changelist"), {});
times.set(notes.dataset.now);
const outages = new Outages(notes);
// The summaries of all connections, also of those on other pages.
const summaries = new Map();

function all({ now, refusedSince, connections }) {
  times.set(now);
  outages.refusedSince = refusedSince;
  summaries.clear();
  const listed = new Set();
  for (const row of connections) {
    listed.add(row.organization);
    one(row);
  }
  for (const organization of lines.keys()) if (!listed.has(organization)) remove(organization);
}

function one(row) {
  summaries.set(row.organization, row);
  const line = lines.get(row.organization);
  if (!line) return;
  const pill = line.querySelector("[data-organization]");
  pill.dataset.panel = row.panel;
  write(pill, row.panelName);
  write(line.querySelector("[data-field=numberText]"), row.numberText || "–");
  write(line.querySelector("[data-field=sentence]"), row.sentence);
  write(line.querySelector("[data-field=detail]"), writeTimes(row.detail));
  write(line.querySelector("th.field-name a, td.field-name a"), row.name);
  times.show(line.querySelector("[data-since]"), row.since);
  mark(line, matches(row, line) ? "" : notes.dataset.left);
}

function remove(organization) {
  summaries.delete(organization);
  const line = lines.get(organization);
  if (line) mark(line, notes.dataset.gone);
}

function matches(row, line) {
  const { state, reason, down } = notes.dataset;
  if (reason && row.reason !== reason) return false;
  if (state && !isIn(row, state)) return false;
  if (!down) return true;
  // A short connection resets the time since the last change.
  if (AT_REST.has(row.state)) line.dataset.up = "";
  return !("up" in line.dataset);
}

// The same rule as in connections/admin/filters.py.
function isIn(row, state) {
  if (state === "offline") return UNATTENDED.has(row.reason);
  if (state === "awaiting_scan") return row.state === state;
  return row.section === (state === "connecting" ? "linking" : state);
}

function mark(line, text) {
  line.classList.toggle("list-left", text !== "");
  let note = line.querySelector(".list-mark");
  if (!text) return note?.remove();
  if (!note) {
    note = document.createElement("span");
    note.className = "list-mark";
    line.querySelector("[data-field=sentence]").parentElement.append(note);
  }
  write(note, text);
}

// Writes only changes, so that a selection and a screen reader's position stay.
function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

new LiveSocket(notes.dataset.socket, {
  snapshot: (message) => {
    sign.live();
    if (message.type === "connections") all(message);
    else if (message.type === "connection") one(message.connection);
    else remove(message.organization);
    showCount([...summaries.values()].filter((row) => row.section === "action_needed").length);
    outages.show(summaries.values());
  },
  dropped: () => sign.interrupted(),
  ended: (code) => sign.ended(code),
}, ASK_EVERY).open();
