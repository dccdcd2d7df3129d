// Gives the fields that Django's admin turns into search boxes the names of their labels.

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

// They are made some time after the page is loaded, and with each line that is added to a form.
nameAll();
new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
