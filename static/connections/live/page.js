// Shows a snapshot on the page. The server renders the first one; the styles depend on `data-panel`.

import { Clock, exact } from "./clock.js";
import { Countdown } from "./countdown.js";
import { PhoneCode } from "./phone_code.js";
import { TEXTS, duration, fill } from "../shared/texts.js";
import { moment, writeTimes } from "../shared/moments.js";
import { showHead } from "../shared/head.js";
import { show as showTitle } from "../shared/title.js";
import { Timeline } from "../history/timeline.js";
import { Uptime } from "../history/uptime.js";

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

  show(snapshot) {
    this.clock.set(snapshot.now);
    showHead(snapshot);
    showTitle(`${snapshot.panelName} – ${this.root.dataset.name}`);
    if (this.root.dataset.panel !== snapshot.panel) this.notice("");
    Object.assign(this.root.dataset, { panel: snapshot.panel, reason: snapshot.reason, method: snapshot.method ?? "" });
    this.root.toggleAttribute("data-saved-login", snapshot.savedLogin);
    for (const name of ["panelName", "sentence", "nextStep", "numberText", "expectedText", "phoneText", "phoneWarning"]) {
      this.write(name, snapshot[name]);
    }
    this.showRetry(snapshot);
    this.write("emblem", snapshot.panel === "connected" ? snapshot.numberText : "");
    for (const icon of this.root.querySelectorAll("[data-icon]")) {
      set(icon, "href", `#panel-${snapshot.panel}`);
    }
    this.find("[data-number-row]").hidden = snapshot.number === "";
    this.find("[data-phone-row]").hidden = snapshot.phoneText === "";
    this.find("[data-phone-warning]").hidden = snapshot.phoneWarning === "";
    this.clock.show(this.find("[data-since]"), snapshot.since);
    this.write("ownerLinking", snapshot.ownerLinking);
    this.find("[data-owner-linking]").hidden = snapshot.ownerLinking === "";
    this.showCodes(snapshot);
    this.showOtherSpelling(snapshot);
    this.showSelfTest(snapshot);
    this.showButtons(snapshot);
    this.showAlarm(snapshot.refusedSince);
    this.timeline.show(snapshot);
    this.uptime.update(snapshot);
    this.root.dispatchEvent(new CustomEvent("snapshot", { detail: snapshot }));
  }

  // Shows the time of the next automatic attempt, or of the end of a ban, and the detail, which
  // would only repeat the end of a ban.
  showRetry({ retryAt, state, reason, detail }) {
    const place = this.find("[data-retry]");
    const time = place.querySelector("time");
    const banned = reason === "temporarily_banned";
    place.hidden = !retryAt || !TRYING.has(state);
    this.write("detail", banned && !place.hidden ? "" : writeTimes(detail));
    if (place.hidden) return this.clock.drop(time);
    set(time, "datetime", retryAt);
    set(time, "title", exact(retryAt));
    this.clock.keep(time, () => {
      const left = Math.ceil((Date.parse(retryAt) - this.clock.now) / 1_000);
      if (left <= 0) return TEXTS.tryingNow;
      const values = { duration: duration(left), time: moment(retryAt) };
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

  // Shows the other spelling, for when a code does not reach the phone; see also `showButtons`.
  showOtherSpelling({ otherSpelling, mayOperate }) {
    const field = this.find("[data-other-number]");
    if (!field || !otherSpelling) return;
    set(field, "value", otherSpelling.number);
    this.write("otherSpelling", otherSpelling.sentence);
  }

  // The code expired before the next snapshot.
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

  showButtons(snapshot) {
    const focused = document.activeElement;
    for (const button of this.root.querySelectorAll("[data-can]")) {
      button.hidden = !snapshot[button.dataset.can];
    }
    const reconnect = this.root.querySelector("[data-reconnect]");
    // The button is primary only if nothing happens without it.
    if (reconnect) reconnect.className = AT_REST.has(snapshot.state) ? "primary" : "plain";
    const newCode = this.root.querySelector("[data-new-code]");
    if (newCode) newCode.className = snapshot.step === "new_code" ? "primary" : "plain";
    const dialog = this.find("[data-dialog]");
    if (dialog.open && !snapshot.canDisconnect) dialog.close();
    // Keep the keyboard focus at the changed part.
    if (this.root.contains(focused) && !focused.checkVisibility()) this.find("[data-words]").focus();
  }

  notice(text) {
    this.write("notice", text);
  }

  // --- Connection to the server

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
    // That a session has ended is said on all pages alike (organizations/session.js).
    this.banner(code === SESSION_ENDED ? "" : TEXTS.notFound);
  }

  banner(text) {
    this.find("[data-banner]").hidden = text === "";
    this.write("banner", text);
  }

  // --- Helpers

  find(selector) {
    return this.root.querySelector(selector);
  }

  // Writes only changes, or screen readers would repeat everything at each snapshot.
  write(name, text) {
    for (const field of this.root.querySelectorAll(`[data-field="${name}"]`)) {
      if (field.textContent !== String(text)) field.textContent = text;
    }
  }
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
