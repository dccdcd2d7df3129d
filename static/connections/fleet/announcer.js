// Announces connections that need action to screen readers, at most every few seconds.

const PAUSE = 4_000;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.names = [];
  }

  add(name) {
    this.names.push(name);
    if (!this.timer) this.say();
  }

  say() {
    this.timer = null;
    if (this.names.length === 0) return;
    const { one, many } = this.region.dataset;
    const text = this.names.length === 1 ? one : many;
    this.region.textContent = text.replace("{count}", this.names.length).replace("{name}", () => this.names.at(-1));
    this.names = [];
    this.timer = setTimeout(() => this.say(), PAUSE);
  }
}
