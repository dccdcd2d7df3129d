// The live page: shows each snapshot from the socket, and submits the forms.

import { takeOver } from "./requests.js";
import { LiveSocket } from "../shared/socket.js";
import { Page } from "./page.js";

const root = document.getElementById("connection");
const page = new Page(root);
page.show(JSON.parse(document.getElementById("connection-snapshot").textContent));

const socket = new LiveSocket(root.dataset.socket, {
  snapshot: (snapshot) => {
    page.live();
    page.show(snapshot);
  },
  dropped: () => page.interrupted(),
  ended: (code) => page.ended(code),
});
socket.open();
takeOver(root, page, socket);
