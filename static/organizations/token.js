// The page that shows a new token: copies it, and prevents a second submission by a reload.

const page = document.querySelector("[data-list]");
const text = page.querySelector("[data-token]");
const button = page.querySelector("[data-copy]");
const result = page.querySelector("[data-copied]");

// Reloading would submit the form again and create a second token; it opens the list instead.
history.replaceState(null, "", page.dataset.list);

// Browsers have a clipboard only in a secure context; otherwise one click selects the text.
if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      result.textContent = result.dataset.done;
    } catch {
      getSelection().selectAllChildren(text);
      result.textContent = result.dataset.refused;
    }
  });
}
