// Sends the page's forms without leaving it. Without this file they are ordinary forms.

import { TEXTS, fill } from "./texts.js";

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
      told(form, page, await send(form));
      dialog.close();
      socket.ask();
    });
    form.addEventListener("input", () => atField(form, ""));
  }
  root.querySelector("[data-disconnect]")?.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
}

// A problem is told where it can be mended: at the form's field, if it has one.
function told(form, page, problem) {
  if (!atField(form, problem)) return page.notice(problem);
  if (problem) return form.querySelector("[aria-describedby]").focus();
  const details = form.closest("details");
  // Before it closes: what disappears with the focus in it loses it for good.
  if (details.contains(document.activeElement)) details.querySelector("summary").focus();
  details.open = false;
}

function atField(form, problem) {
  const place = form.querySelector("[data-problem]");
  if (!place) return false;
  place.textContent = problem;
  form.querySelector("[aria-describedby]").ariaInvalid = problem === "" ? null : "true";
  return true;
}

// What went wrong, or nothing: what went right shows on the page by itself.
async function send(form) {
  // Not by disabling the button: it would lose the keyboard's focus.
  form.ariaBusy = "true";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      redirect: "manual",
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
