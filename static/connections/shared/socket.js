// A WebSocket that reconnects, and that notices within 15 seconds that it is not live any more.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 5_000;
const PROBE_EVERY = 6_000;
// The server answers a ping within three seconds; the rest is for a slow network.
const ANSWER_WITHIN = 8_000;
// The first message may be long.
const FIRST_WITHIN = 14_000;
const SESSION_ENDED = 4401;
const ENDINGS = new Set([SESSION_ENDED, 4404]);

export class LiveSocket {
  // `on` has three callbacks: snapshot(message), dropped(), ended(code). `askEvery`: milliseconds
  // from one request for everything to the next; changes come without one.
  constructor(address, on, askEvery = 10_000) {
    this.address = new URL(address, location.href);
    this.address.protocol = this.address.protocol.replace("http", "ws");
    this.on = on;
    this.askEvery = askEvery;
    this.delay = FIRST_DELAY;
    this.over = false;
    addEventListener("online", () => this.hurry());
    // The browser keeps the socket, although nothing comes through it.
    addEventListener("offline", () => this.over || this.closed());
    addEventListener("pageshow", (event) => event.persisted && this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    // Leaving the page also closes the socket; no warning is shown then.
    addEventListener("pagehide", () => this.letGo());
  }

  open() {
    this.letGo();
    const socket = new WebSocket(this.address);
    this.socket = socket;
    // The server sends everything first.
    this.askedAt = Date.now();
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(event.code);
    this.expectAnswer(FIRST_WITHIN);
  }

  // Requests a snapshot, which also shows that server and worker are alive.
  ask() {
    this.askedAt = Date.now();
    this.send({});
  }

  // Asks whether the server is there; a ping costs it nothing.
  probe() {
    if (Date.now() - this.askedAt >= this.askEvery) this.ask();
    else this.send({ type: "ping" });
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(message));
    this.expectAnswer(ANSWER_WITHIN);
  }

  // Reconnects without waiting for the delay, as a connection may work now.
  hurry() {
    if (this.over) return;
    if (this.socket?.readyState === WebSocket.OPEN) this.ask();
    else if (this.socket?.readyState !== WebSocket.CONNECTING) this.open();
  }

  receive(message) {
    this.delay = FIRST_DELAY;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.probe(), PROBE_EVERY);
    if (message.type !== "pong") this.on.snapshot(message);
  }

  // Without an answer in time the connection is dead, even if the browser has not noticed.
  expectAnswer(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.closed(), milliseconds);
  }

  closed(code) {
    this.letGo();
    if (ENDINGS.has(code)) {
      this.over = true;
      this.on.ended(code);
      // organizations/session.js says so, and goes on after the next login.
      if (code === SESSION_ENDED) document.dispatchEvent(new Event("sessionend"));
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
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }
}
