// Helpers to change a page without disturbing what is already right.

// Writes only changes, so that a selection and a screen reader's position stay.
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// Returns the HTML of an element for a comparison: without the token that each answer has anew.
export function markup(element) {
  return element.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
}
