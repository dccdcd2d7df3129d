// Helpers to change a page without disturbing what is already right.

import { ANSWER_WITHIN } from "../connections/shared/deadlines.js";

// Writes only changes, so that a selection and a screen reader's position stay.
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// Returns the HTML of an element for a comparison: without the token that each answer has anew.
export function markup(element) {
  return element.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
}

const STOPS = "a[href], button, summary, input, select, textarea";

// Puts what a fresh element contains into a place. The focus stays on what was there before.
export function replace(place, fresh) {
  const focused = document.activeElement;
  const at = place.contains(focused) ? stopsOf(place).indexOf(focused) : null;
  place.replaceChildren(...fresh.childNodes);
  if (at === null) return;
  const stops = stopsOf(place);
  focusOn(stops[Math.min(at, stops.length - 1)] ?? place.closest("tr")?.querySelector(STOPS) ?? place);
}

// Focuses an element, also one that the keyboard does not reach.
export function focusOn(element) {
  if (!element.matches(STOPS)) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

export function stopsOf(place) {
  return [...place.querySelectorAll(STOPS)];
}

// With a large file on a slow network.
const ANSWER_WITH_FILE_WITHIN = 300_000;

// Submits a form, and returns the JSON that answers it. Throws what fetch and json() throw.
export async function post(form) {
  const body = new FormData(form);
  const hasFile = [...body.values()].some((value) => value instanceof File && value.size > 0);
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(hasFile ? ANSWER_WITH_FILE_WITHIN : ANSWER_WITHIN),
  });
  return answer.json();
}
