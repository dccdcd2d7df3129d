// The page that shows a new token: copies it, and never comes back with it or makes another one.

const page = document.querySelector("[data-list]");
const text = page.querySelector("[data-token]");
const button = page.querySelector("[data-copy]");
const told = page.querySelector("[data-copied]");

// Reloading would send the form again, and so make a second token: it leads to the list instead.
history.replaceState(null, "", page.dataset.list);

// Without a safe connection browsers have no clipboard; the text can be selected with one click.
if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = told.dataset.done;
    } catch {
      getSelection().selectAllChildren(text);
      told.textContent = told.dataset.refused;
    }
  });
}
