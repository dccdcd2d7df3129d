// A search above a list of organizations: by name, without accents and case. What is chosen stays.

const LONG = 10;
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

// Returns a test of texts: whether each word of the search is in one.
function matcher(search) {
  const words = fold(search.value).split(/\s+/);
  return (text) => words.every((word) => fold(text).includes(word));
}

// Check boxes, and a search that is in the page.
function searchBoxes(search) {
  const labels = [...search.closest("fieldset").querySelectorAll(".options label")];
  search.hidden = false;
  search.addEventListener("input", () => {
    const matches = matcher(search);
    for (const label of labels) {
      label.hidden = !label.querySelector("input").checked && !matches(label.textContent);
    }
  });
  // Enter would send the form.
  search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
}

// One choice: a short list of Django's stays as it is.
function searchOptions(select) {
  if (select.options.length <= LONG) return;
  select.size = 8;
  // A list that shows its options needs none that says that nothing is chosen.
  select.querySelector('option[value=""]')?.remove();
  const options = [...select.options];
  const search = document.createElement("input");
  const found = document.createElement("p");
  Object.assign(search, { type: "search", className: "find", autocomplete: "off", placeholder: select.dataset.search });
  search.setAttribute("aria-label", select.dataset.search);
  found.setAttribute("role", "status");
  found.className = "found";
  select.before(search);
  select.after(found);
  // Django puts the focus on the first field of a form.
  if (document.activeElement === select) search.focus();
  let matching = options;

  search.addEventListener("input", () => {
    const matches = matcher(search);
    matching = options.filter((option) => matches(option.text));
    // Safari shows hidden options, so they are taken out.
    select.replaceChildren(...options.filter((option) => option.selected || matching.includes(option)));
    found.textContent = search.value.trim() && select.dataset.found.replace("{}", matching.length);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    if (!matching.length) return;
    if (!matching.some((option) => option.selected)) {
      matching[0].selected = true;
      select.dispatchEvent(new Event("input", { bubbles: true }));
    }
    select.focus();
  });
}

document.querySelectorAll("input[data-search]").forEach(searchBoxes);
document.querySelectorAll("select[data-search]").forEach(searchOptions);
