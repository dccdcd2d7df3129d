// Copies texts. Browsers have a clipboard only in a secure context; otherwise people select them.

export function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button.parentElement));
  }
}

async function copy(box) {
  const text = box.querySelector("[data-copied-text]");
  const result = box.querySelector("[data-copy-result]");
  try {
    await navigator.clipboard.writeText(text.textContent);
    result.textContent = result.dataset.done;
  } catch {
    getSelection().selectAllChildren(text);
    result.textContent = result.dataset.refused;
  }
}
