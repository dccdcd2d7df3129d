// Saves the links as a file. A blob, not a data address, which browsers keep in their history.

const button = document.querySelector("[data-download]");
const text = document.querySelector("[data-csv]");

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const lines = text.value.replaceAll("\n", "\r\n");
    const address = URL.createObjectURL(new Blob([lines], { type: "text/csv;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = button.dataset.download;
    link.click();
    URL.revokeObjectURL(address);
  });
}
