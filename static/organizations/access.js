// What every page of the admin has: the key of the search in the header, menus that Escape closes,
// the focus after a page load, and the login.

import { keepFocus } from "./focus.js";
import { watchLogin } from "./session.js";

// "/" leads to the search in the header, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  const search = document.getElementById("site-search");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search) return;
  if (event.target.closest?.("input, select, textarea, [contenteditable], dialog[open]")) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// Links that are buttons with scripts obey the space bar as buttons do.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches?.('a[role="button"]')) return;
  event.preventDefault();
  event.target.click();
});

// A menu is closed by Escape, which leads back to its button; one that covers the page also closes
// when the focus leaves it.
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[data-menu][open]");
  if (!menu || event.key !== "Escape" || event.isComposing) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  const menu = target.closest?.('details[data-menu="over"][open]');
  if (menu && relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
});

function start() {
  keepFocus();
  watchLogin();
}

// Nothing waits for this script, so it may run before the page is parsed, or after.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
