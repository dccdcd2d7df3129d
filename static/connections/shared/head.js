// The organization's state above the tabs.

const head = document.querySelector("[data-head]");

export function showHead({ panel, panelName, sentence }) {
  if (!head) return;
  head.dataset.panel = panel;
  head.querySelector("[data-head-icon]").setAttribute("href", `#panel-${panel}`);
  write("[data-head-panel]", panelName);
  write("[data-head-sentence]", sentence);
}

function write(selector, text) {
  const place = head.querySelector(selector);
  if (place.textContent !== text) place.textContent = text;
}
