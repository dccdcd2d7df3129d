// The live page: show each snapshot that the socket brings, and send what the buttons ask for.

import { takeOver } from "./asking.js";
import { LiveSocket } from "./socket.js";
import { Page } from "./page.js";

const root = document.getElementById("connection");
const page = new Page(root);
page.show(JSON.parse(document.getElementById("connection-snapshot").textContent));

const address = new URL(root.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");

const socket = new LiveSocket(address, {
  snapshot: (told) => {
    page.live();
    page.show(told);
  },
  dropped: () => page.interrupted(),
  ended: (code) => page.ended(code),
});
socket.open();
takeOver(root, page, socket);
