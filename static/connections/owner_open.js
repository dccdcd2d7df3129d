// Hands over the secret behind the "#" of a link, in a form: so it stands in no address that is
// sent, logged or remembered.

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
// The link again, in a tab that shows this page already.
addEventListener("hashchange", open);
