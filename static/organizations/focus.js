// Keeps the focus where the action was when a page loads again: after a filter, another page of a
// list or another order. After a form it is on the message that tells the outcome.

const KEY = "focus-after";
const STOPS = "a[href], [aria-current]";
// A live region is read aloud only when it changes after the page was read.
const SAY_AFTER = 500;

function remember(event) {
  const link = event.target.closest?.("a[href]");
  const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0;
  if (!link || modified || link.pathname !== location.pathname || link.host !== location.host) return;
  const place = link.closest("[id]");
  const saved = { path: location.pathname, place: place.id, at: stopsOf(place).indexOf(link), text: textOf(link) };
  sessionStorage.setItem(KEY, JSON.stringify(saved));
}

// What a form has changed may be gone from the page.
function rememberForm(event) {
  if (event.defaultPrevented) return;
  const saved = { path: location.pathname, place: "content-start", at: 0, text: null };
  sessionStorage.setItem(KEY, JSON.stringify(saved));
}

function restore() {
  const saved = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  sessionStorage.removeItem(KEY);
  if (document.activeElement !== document.body) return;
  const message = document.querySelector(".messagelist");
  if (message) return focusOn(message);
  const place = saved?.path === location.pathname && document.getElementById(saved.place);
  if (!place) return;
  if (saved.text === null) return focusOn(place);
  const stops = stopsOf(place);
  focusOn(stops.find((stop) => textOf(stop) === saved.text) ?? stops[saved.at] ?? place);
  sayCount();
}

function focusOn(element) {
  if (!element.matches("a[href]")) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

// Says how many rows there are now.
function sayCount() {
  const count = document.querySelector(".paginator");
  if (!count) return;
  const region = Object.assign(document.createElement("p"), { className: "visually-hidden", role: "status" });
  document.getElementById("content").append(region);
  setTimeout(() => { region.textContent = textOf(count); }, SAY_AFTER);
}

function stopsOf(place) {
  return [...place.querySelectorAll(STOPS)];
}

function textOf(element) {
  return element.textContent.trim().replace(/\s+/g, " ");
}

export function keepFocus() {
  document.addEventListener("click", remember);
  document.addEventListener("submit", rememberForm);
  restore();
}
