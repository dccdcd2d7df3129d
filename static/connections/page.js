// Puts a snapshot on the page. The server has drawn the first one; the styles follow `data-panel`.

import { Clock, exact } from "./clock.js";
import { Countdown } from "./countdown.js";
import { PhoneCode } from "./phone_code.js";
import { TEXTS, duration, fill } from "./texts.js";
import { Timeline } from "./timeline.js";
import { Uptime } from "./uptime.js";

const AT_REST = new Set(["disconnected", "action_needed"]);
const TRYING = new Set(["connecting", "reconnecting"]);
const SESSION_ENDED = 4401;

export class Page {
  constructor(root) {
    this.root = root;
    this.clock = new Clock();
    this.countdown = new Countdown(root, (left) => this.write("secondsLeft", left), () => this.expired());
    this.phoneCode = new PhoneCode(root, (name, text) => this.write(name, text));
    this.timeline = new Timeline(root, this.clock);
    this.uptime = new Uptime(root);
    this.sign = document.querySelector("[data-live-sign]");
  }

  show(told) {
    this.clock.set(told.now);
    if (this.root.dataset.panel !== told.panel) this.notice("");
    Object.assign(this.root.dataset, { panel: told.panel, reason: told.reason, method: told.method ?? "" });
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
    this.showRetry(told);
    this.showCodes(told);
    this.showOtherSpelling(told);
    this.showSelfTest(told);
    this.showButtons(told);
    this.showAlarm(told.refusedSince);
    this.timeline.show(told);
    this.uptime.heard(told.state);
  }

  // When it is tried again by itself, or when a ban ends.
  showRetry({ retryAt, state, reason }) {
    const place = this.find("[data-retry]");
    const time = place.querySelector("time");
    place.hidden = !retryAt || !TRYING.has(state);
    if (place.hidden) return this.clock.drop(time);
    set(time, "datetime", retryAt);
    set(time, "title", exact(retryAt));
    const banned = reason === "temporarily_banned";
    this.clock.keep(time, () => {
      const left = Math.ceil((Date.parse(retryAt) - this.clock.now) / 1_000);
      if (left <= 0) return TEXTS.tryingNow;
      const values = { duration: duration(left), time: exact(retryAt) };
      return fill(banned ? TEXTS.banEnds : TEXTS.nextTry, values);
    });
  }

  showCodes({ pairing, phoneCode, reason }) {
    this.write("newCode", reason === "code_lost" ? TEXTS.newCode : "");
    this.phoneCode.show(phoneCode);
    const picture = this.find("[data-qr]");
    if (pairing) set(picture, "src", pairing.qr);
    else picture.removeAttribute("src");
    const values = { number: pairing?.codeNumber, count: pairing?.codeCount };
    this.write("codeNumber", pairing ? fill(TEXTS.codeNumber, values) : "");
    const code = pairing ?? phoneCode;
    if (!code) return this.countdown.stop();
    this.root.removeAttribute("data-expired");
    this.countdown.start(code.secondsLeft, code.secondsInAll);
  }

  // What may be tried when a code does not reach the phone; `showButtons` shows and hides it.
  showOtherSpelling({ otherSpelling, mayOperate }) {
    const field = this.find("[data-other-number]");
    if (!field || !otherSpelling) return;
    set(field, "value", otherSpelling.number);
    this.write("otherSpelling", otherSpelling.sentence);
  }

  // The code's time ran out before another snapshot came.
  expired() {
    const interrupted = this.root.dataset.link === "interrupted";
    this.write("expired", interrupted ? TEXTS.expired : TEXTS.nextCode);
    this.root.setAttribute("data-expired", "");
  }

  showSelfTest({ selfTest, canSelfTest }) {
    const place = this.find("[data-self-test]");
    place.hidden = !selfTest && !canSelfTest;
    place.dataset.state = selfTest?.state ?? "";
    this.write("selfTest", selfTest?.sentence ?? "");
    const time = place.querySelector("time");
    if (selfTest) return this.clock.show(time, selfTest.at);
    this.clock.drop(time);
    time.textContent = "";
  }

  showAlarm(refusedSince) {
    const place = this.find("[data-alarm]");
    place.hidden = !refusedSince;
    if (refusedSince) this.clock.show(place.querySelector("time"), refusedSince);
  }

  showButtons(told) {
    const focused = document.activeElement;
    for (const button of this.root.querySelectorAll("[data-can]")) {
      button.hidden = !told[button.dataset.can];
    }
    const reconnect = this.root.querySelector("[data-reconnect]");
    // Where something is already being done by itself, pressing it is possible but not the point.
    if (reconnect) reconnect.className = AT_REST.has(told.state) ? "primary" : "plain";
    const newCode = this.root.querySelector("[data-new-code]");
    if (newCode) newCode.className = told.step === "new_code" ? "primary" : "plain";
    const dialog = this.find("[data-dialog]");
    if (dialog.open && !told.canDisconnect) dialog.close();
    // Whoever works with the keyboard stays where the news is.
    if (this.root.contains(focused) && !focused.checkVisibility()) this.find("[data-words]").focus();
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
    this.banner(TEXTS.interrupted);
  }

  ended(code) {
    this.root.dataset.link = "ended";
    this.sign.hidden = true;
    this.countdown.stop();
    this.find("[data-qr]").removeAttribute("src");
    this.phoneCode.show(null);
    const loggedOut = code === SESSION_ENDED;
    this.banner(loggedOut ? TEXTS.sessionEnded : TEXTS.notFound);
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
