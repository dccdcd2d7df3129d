// Shows the OpenAPI document with Swagger UI: a search over all operations, the theme of the system,
// and what Swagger UI lacks for people with a keyboard or a screen reader.

const root = document.getElementById("api-docs");

const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
applyTheme();
dark.addEventListener("change", applyTheme);

// --- The search: words of the address, the summary and the id of an operation ---------------------

function found(operation, words) {
  const of = (name) => operation.getIn(["operation", name]) ?? "";
  const text = [operation.get("method"), operation.get("path"), of("summary"), of("operationId")];
  const searched = text.join(" ").toLowerCase();
  return words.every((word) => searched.includes(word));
}

function findOperations(tags, phrase) {
  const words = phrase.toLowerCase().split(/\s+/);
  return tags
    .map((tag) => tag.update("operations", (all) => all.filter((each) => found(each, words))))
    .filter((tag) => tag.get("operations").size);
}

function search({ React: { createElement } }) {
  return ({ layoutSelectors, layoutActions }) => {
    const current = layoutSelectors.currentFilter();
    return createElement(
      "div",
      { className: "wrapper api-search", role: "search" },
      createElement("label", { htmlFor: "api-search" }, "Find an operation"),
      createElement("input", {
        id: "api-search",
        type: "search",
        value: typeof current === "string" ? current : "",
        onChange: (event) => layoutActions.updateFilter(event.target.value),
      }),
    );
  };
}

const plugin = (system) => ({
  fn: { opsFilter: findOperations },
  components: {
    FilterContainer: search(system),
    // A link inside the button of an operation. The address follows what is opened all the same.
    DeepLink: ({ text }) => system.React.createElement("span", null, text),
  },
});

// --- Names and keyboard access, for what Swagger UI draws without them ----------------------------

function nameOf(select) {
  const parameter = select.closest("[data-param-name]")?.dataset.paramName;
  const status = select.closest("[data-code]")?.dataset.code;
  return parameter ?? (status ? `Example of an answer ${status}` : "Example of a body");
}

function openDialog(dialog) {
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-label", dialog.querySelector("h3").textContent);
  dialog.querySelector(".close-modal").setAttribute("aria-label", "Dismiss");
  dialog.querySelector("input")?.focus();
}

function complete() {
  for (const dialog of root.querySelectorAll(".modal-ux:not([role])")) openDialog(dialog);
  for (const select of root.querySelectorAll("select:not([aria-label])")) {
    select.setAttribute("aria-label", nameOf(select));
  }
  for (const body of root.querySelectorAll("textarea:not([aria-label])")) {
    body.setAttribute("aria-label", "Body of the request");
  }
  for (const box of root.querySelectorAll("pre:not([tabindex])")) box.tabIndex = 0;
}

new MutationObserver(complete).observe(root, { childList: true, subtree: true });

SwaggerUIBundle({
  domNode: root,
  url: root.dataset.schema,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [plugin],
  layout: "BaseLayout",
  deepLinking: true,
  filter: true,
  displayRequestDuration: true,
  // The schemas are shown with the operations.
  defaultModelsExpandDepth: -1,
  // No other host is asked.
  validatorUrl: null,
});
