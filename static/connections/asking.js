// Sends the page's forms without leaving it. Without this file they are ordinary forms.

const TOO_OLD = "This page is too old to be trusted. Reload it and try again.";
const PROBLEMS = {
  0: "The server cannot be reached. Try again when live updates are back.",
  302: "Your session has ended. Log in again.",
  404: "This organization was not found, or is no longer yours to see.",
};

export function takeOver(root, page, socket) {
  const dialog = root.querySelector("[data-dialog]");
  for (const form of root.querySelectorAll("[data-ask]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.ariaBusy === "true") return;
      page.notice("");
      page.notice(await send(form));
      dialog.close();
      socket.ask();
    });
  }
  root.querySelector("[data-disconnect]")?.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
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
  if (answer.status === 403) return TOO_OLD;
  return PROBLEMS[answer.status] ?? `The server had a problem (${answer.status}).`;
}
