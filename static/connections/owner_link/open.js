// Submits the secret after the "#" of a link in a form, so that it is in no URL that is sent,
// logged or stored in the browser's history.

const form = document.querySelector("form[data-open]");
const opening = document.querySelector("[data-opening]");
const paste = document.querySelector("[data-paste]");

function open() {
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (!secret) return false;
  form.elements.link.value = secret;
  form.submit();
  return true;
}

const shown = open() ? opening : paste;
if (shown) shown.hidden = false;
// The link was opened again in a tab that already shows this page.
addEventListener("hashchange", open);
