// What every page of the admin has: names of the search boxes that Django creates, the key of the
// search in the header, the focus after a page load, and the login.

import { keepFocus } from "./focus.js";
import { watchLogin } from "./session.js";

function name(container) {
  const select = container.previousElementSibling;
  const label = select?.id && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
  if (!label) return;
  container.dataset.named = "";
  label.id ||= `${select.id}_label`;
  for (const element of container.querySelectorAll('[role="combobox"], [role="textbox"]')) {
    const own = element.querySelector(".select2-selection__rendered") ?? element;
    element.setAttribute("aria-labelledby", own.id ? `${label.id} ${own.id}` : label.id);
  }
}

function nameAll() {
  document.querySelectorAll(".select2-container:not([data-named])").forEach(name);
}

// "/" leads to the search in the header, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  const search = document.getElementById("site-search");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search) return;
  if (event.target.closest?.("input, select, textarea, [contenteditable], dialog[open]")) return;
  event.preventDefault();
  search.focus();
  search.select();
});

function start() {
  // The search boxes are created some time after the page load, and with each added form row.
  nameAll();
  new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
  keepFocus();
  watchLogin();
}

// Nothing waits for this script, so it may run before the page is parsed, or after.
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
