// For small screens: gives each value of a list the name of its column (lists.css), and puts the
// filter before the list, where it is seen, so that Tab comes to it there.

const table = document.getElementById("result_list");
// The list of connections has an arrangement of its own.
if (table && !document.querySelector("[data-list]")) {
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.querySelector(".text")?.innerText.trim());
  for (const row of table.tBodies[0].rows) {
    [...row.cells].forEach((cell, place) => {
      const nothing = /^[-–]?$/.test(cell.textContent.trim()) && !cell.querySelector("input, img");
      cell.classList.toggle("nothing", nothing);
      // A heading and a link that says what it does need no name.
      const speaks = cell.tagName === "TH" || cell.querySelector(":scope > a, input");
      if (names[place] && !speaks) cell.dataset.label = names[place];
    });
  }
  table.classList.add("cards");
}

const filter = document.querySelector(".list-filter");
const narrow = matchMedia("(max-width: 767px)");
function placeFilter() {
  const list = document.querySelector(".changelist-form-container");
  if (narrow.matches) list.before(filter);
  else list.after(filter);
}
if (filter) {
  narrow.addEventListener("change", placeFilter);
  placeFilter();
}
