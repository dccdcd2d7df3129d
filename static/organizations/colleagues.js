// Finds organizations in the list by their names, without accents and case. What is ticked stays.

const search = document.querySelector("[data-search]");
const labels = [...document.querySelectorAll(".organizations .options label")];
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

search.hidden = false;
search.addEventListener("input", () => {
  const wanted = fold(search.value.trim());
  for (const label of labels) {
    label.hidden = !label.querySelector("input").checked && !fold(label.textContent).includes(wanted);
  }
});
// Enter would send the form.
search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
