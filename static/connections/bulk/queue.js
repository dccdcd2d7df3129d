// A queue of phones to link: goes on by itself when this one is connected.

const SHOWN_FOR = 1_500;

const root = document.getElementById("connection");
const queue = document.querySelector("[data-queue]");
const form = queue.querySelector("[data-next]");
let leaving = false;

function look() {
  if (leaving || root.dataset.panel !== "connected") return;
  leaving = true;
  const sign = queue.querySelector("[data-going-on]");
  sign.textContent = sign.dataset.text;
  // Without a button, so that nothing is withdrawn.
  setTimeout(() => form.submit(), SHOWN_FOR);
}

form.addEventListener("submit", () => { leaving = true; });
root.addEventListener("snapshot", look);
look();
