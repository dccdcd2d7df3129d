// Puts a snapshot on the page. The server has drawn the first one; the styles follow `data-panel`.

import { Countdown } from "./countdown.js";
import { Clock } from "./clock.js";

const WAITS = new Set(["code", "preparing"]);
const AT_REST = new Set(["disconnected", "action_needed"]);
const SESSION_ENDED = 4401;

export class Page {
  constructor(root) {
    this.root = root;
    this.clock = new Clock();
    this.countdown = new Countdown(root, (left) => this.write("secondsLeft", left), () => this.expired());
    this.sign = document.querySelector("[data-live-sign]");
  }

  show(told) {
    this.clock.set(told.now);
    if (this.root.dataset.panel !== told.panel) this.notice("");
    this.root.dataset.panel = told.panel;
    this.root.toggleAttribute("data-number", told.number !== "");
    for (const name of ["panelName", "sentence", "detail", "nextStep", "numberText"]) {
      this.write(name, told[name]);
    }
    this.write("emblem", told.panel === "connected" ? told.numberText : "");
    for (const icon of this.root.querySelectorAll("[data-icon]")) {
      set(icon, "href", `#panel-${told.panel}`);
    }
    this.find("[data-number-row]").hidden = told.number === "";
    this.clock.show(this.find("[data-since]"), told.since);
    this.showCode(told.pairing);
    this.showButtons(told);
    this.showHistory(told.history);
    if (!WAITS.has(told.panel)) this.countdown.stop();
  }

  showCode(pairing) {
    const picture = this.find("[data-qr]");
    if (!pairing) {
      picture.removeAttribute("src");
      this.countdown.stop();
      return this.write("codeNumber", "");
    }
    set(picture, "src", pairing.qr);
    this.write("codeNumber", `Code ${pairing.codeNumber} of ${pairing.codeCount}`);
    this.root.removeAttribute("data-expired");
    this.countdown.start(pairing.secondsLeft, pairing.secondsInAll);
  }

  // The code's time ran out before another snapshot came.
  expired() {
    const interrupted = this.root.dataset.link === "interrupted";
    this.write("expired", interrupted ? "This code has expired." : "Getting the next code…");
    this.root.setAttribute("data-expired", "");
  }

  showButtons(told) {
    const focused = document.activeElement;
    for (const button of this.root.querySelectorAll("[data-can]")) {
      button.hidden = !told[button.dataset.can];
    }
    const reconnect = this.root.querySelector("[data-reconnect]");
    // Where something is already being done by itself, pressing it is possible but not the point.
    if (reconnect) reconnect.className = AT_REST.has(told.state) ? "primary" : "plain";
    const dialog = this.find("[data-dialog]");
    if (dialog.open && !told.canDisconnect) dialog.close();
    // Whoever works with the keyboard stays where the news is.
    if (this.root.contains(focused) && !focused.checkVisibility()) this.find("[data-words]").focus();
  }

  showHistory(history) {
    this.find("[data-empty]").hidden = history.length > 0;
    const list = this.find("[data-history]");
    const shown = history.map((line) => line.id).join();
    if (list.dataset.shown === shown) return;
    list.dataset.shown = shown;
    list.replaceChildren(...history.map((line) => this.line(line)));
  }

  line(told) {
    const line = this.find("[data-line]").content.cloneNode(true).firstElementChild;
    line.dataset.state = told.state;
    this.clock.stamp(line.querySelector("time"), told.at);
    line.querySelector("p").textContent = told.sentence;
    if (told.detail) {
      const detail = document.createElement("span");
      detail.className = "detail";
      detail.textContent = told.detail;
      line.querySelector("p").append(" ", detail);
    }
    line.querySelector(".actor").textContent = told.actor ? `by ${told.actor}` : "";
    return line;
  }

  notice(text) {
    this.write("notice", text);
  }

  // --- The link to the server

  live() {
    this.root.dataset.link = "live";
    this.sign.hidden = false;
    this.banner("");
  }

  interrupted() {
    this.root.dataset.link = "interrupted";
    this.sign.hidden = true;
    this.banner("Live updates are interrupted. Reconnecting…");
  }

  ended(code) {
    this.root.dataset.link = "ended";
    this.sign.hidden = true;
    this.countdown.stop();
    this.find("[data-qr]").removeAttribute("src");
    const loggedOut = code === SESSION_ENDED;
    this.banner(
      loggedOut ? "Your session has ended." : "This organization was not found, or is no longer yours to see.",
    );
    this.find("[data-login]").hidden = !loggedOut;
  }

  banner(text) {
    this.find("[data-banner]").hidden = text === "";
    this.write("banner", text);
  }

  // --- Small tools

  find(selector) {
    return this.root.querySelector(selector);
  }

  // Only what differs, or screen readers would say it all again with each snapshot.
  write(name, text) {
    for (const field of this.root.querySelectorAll(`[data-field="${name}"]`)) {
      if (field.textContent !== String(text)) field.textContent = text;
    }
  }
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
