// Helpers to change a page without disturbing what is already right.

// Writes only changes, so that a selection and a screen reader's position stay.
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// Returns the HTML of an element for a comparison: without the token that each answer has anew.
export function markup(element) {
  return element.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
}

// Submits a form, and returns the JSON that answers it. Throws what fetch and json() throw.
export async function post(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    redirect: "error",
  });
  return answer.json();
}
