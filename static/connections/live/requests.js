// Submits the page's forms with fetch. Without this script they are ordinary forms.

import { ANSWER_WITHIN } from "../shared/deadlines.js";
import { TEXTS, fill } from "../shared/texts.js";

const PROBLEMS = {
  0: TEXTS.unreachable,
  302: TEXTS.loggedOut,
  403: TEXTS.tooOld,
  404: TEXTS.notFound,
};

export function takeOver(root, page, socket) {
  const dialog = root.querySelector("[data-dialog]");
  for (const form of root.querySelectorAll("[data-ask]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.ariaBusy === "true") return;
      page.notice("");
      showResult(form, page, await send(form));
      dialog.close();
      socket.ask();
    });
    form.addEventListener("input", () => showFieldError(form, ""));
  }
  root.querySelector("[data-disconnect]")?.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
}

// Shows an error at the form's field if it has one, else in the page's notice.
function showResult(form, page, problem) {
  if (!showFieldError(form, problem)) return page.notice(problem);
  if (problem) return form.querySelector("[aria-describedby]").focus();
  const details = form.closest("details");
  // Before closing: a focused element that disappears loses the focus.
  if (details.contains(document.activeElement)) details.querySelector("summary").focus();
  details.open = false;
}

function showFieldError(form, problem) {
  const field = form.querySelector("[data-problem]");
  if (!field) return false;
  field.textContent = problem;
  form.querySelector("[aria-describedby]").ariaInvalid = problem === "" ? null : "true";
  return true;
}

// Returns an error message, or "": a success is shown by the next snapshot.
async function send(form) {
  // Not by disabling the button, which would lose the focus.
  form.ariaBusy = "true";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
    return await problemOf(answer);
  } catch {
    return PROBLEMS[0];
  } finally {
    form.ariaBusy = null;
  }
}

async function problemOf(answer) {
  if (answer.type === "opaqueredirect") return PROBLEMS[302];
  if (answer.headers.get("Content-Type")?.startsWith("application/json")) {
    const { success, message } = await answer.json();
    return success ? "" : message;
  }
  return PROBLEMS[answer.status] ?? fill(TEXTS.serverProblem, { status: answer.status });
}
