// The code to type on the phone: shown in two groups, spelled for screen readers, copied.

import { TEXTS } from "../shared/texts.js";

const SAID_FOR = 4_000;

export class PhoneCode {
  constructor(root, write) {
    this.write = write;
    this.groups = root.querySelector("[data-code-groups]");
    const button = root.querySelector("[data-copy]");
    button.hidden = false;
    button.addEventListener("click", () => this.copy());
  }

  show(phoneCode) {
    this.code = phoneCode?.code ?? "";
    const [head, tail] = this.code ? this.code.split("-") : ["", ""];
    this.write("codeHead", head);
    this.write("codeTail", tail);
    this.write("codeSpelled", [...this.code].join(", "));
    this.write("phoneNumberText", phoneCode?.numberText ?? "");
    if (!this.code) this.say("", TEXTS.copy);
  }

  async copy() {
    const done = (await this.byClipboard()) || this.bySelection();
    this.say(done ? TEXTS.copied : TEXTS.notCopied, done ? TEXTS.copied : TEXTS.copy);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say("", TEXTS.copy), SAID_FOR);
  }

  say(aloud, onButton) {
    this.write("copied", aloud);
    this.write("copy", onButton);
  }

  // The clipboard API works only in a secure context (HTTPS or localhost).
  async byClipboard() {
    try {
      await navigator.clipboard.writeText(this.code);
      return true;
    } catch {
      return false;
    }
  }

  // The older API. If it fails, too, the code stays selected, to be copied manually.
  bySelection() {
    getSelection().selectAllChildren(this.groups);
    const done = document.execCommand("copy");
    if (done) getSelection().removeAllRanges();
    return done;
  }
}
