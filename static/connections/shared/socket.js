// A WebSocket that reconnects.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 5_000;
const ASK_EVERY = 10_000;
const ANSWER_WITHIN = 5_000;
const ENDINGS = new Set([4401, 4404]);

export class LiveSocket {
  // `on` has three callbacks: snapshot(message), dropped(), ended(code).
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.delay = FIRST_DELAY;
    this.over = false;
    addEventListener("online", () => this.hurry());
    addEventListener("pageshow", (event) => event.persisted && this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    // Leaving the page also closes the socket; no warning is shown then.
    addEventListener("pagehide", () => this.letGo());
  }

  open() {
    this.letGo();
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.onopen = () => this.expectAnswer();
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(event.code);
    this.expectAnswer();
  }

  // Requests a snapshot, which also shows that server and worker are alive.
  ask() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send("{}");
    this.expectAnswer();
  }

  // Reconnects without waiting for the delay, as a connection may work now.
  hurry() {
    if (this.over) return;
    if (this.socket?.readyState === WebSocket.OPEN) this.ask();
    else if (this.socket?.readyState !== WebSocket.CONNECTING) this.open();
  }

  receive(snapshot) {
    this.delay = FIRST_DELAY;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ASK_EVERY);
    this.on.snapshot(snapshot);
  }

  // Without an answer in time the connection is dead, even if the browser has not noticed.
  expectAnswer() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.closed(), ANSWER_WITHIN);
  }

  closed(code) {
    this.letGo();
    if (ENDINGS.has(code)) {
      this.over = true;
      this.on.ended(code);
      return;
    }
    this.on.dropped();
    // Randomized, so that not all pages reconnect at the same time.
    this.timer = setTimeout(() => this.open(), this.delay * (0.75 + Math.random() / 4));
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
  }

  letGo() {
    clearTimeout(this.timer);
    if (!this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }
}
