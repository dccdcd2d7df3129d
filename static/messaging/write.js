// The form to send one message, with a file or without: submits it with fetch, and shows what is wrong at its field.

import { post, write } from "./parts.js";

const DONE_FOR = 6_000;

export function takeOver(root, onSent) {
  const details = root.querySelector("[data-write]");
  if (!details) return;
  const form = details.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    if (tooLarge(form)) return form.elements.attachment.focus();
    form.ariaBusy = "true";
    const sent = contents(form);
    try {
      show(form, sent, await send(form));
    } finally {
      form.ariaBusy = null;
    }
    onSent();
  });
  form.addEventListener("input", (event) => problem(form, event.target.name, ""));
  form.elements.attachment.addEventListener("change", () => showAttachment(form));
  form.querySelector("[data-detach]").addEventListener("click", () => detach(form));
  details.addEventListener("toggle", () => details.open && form.elements.number.focus());
  root.addEventListener("write-to", (event) => {
    details.open = true;
    form.elements.number.value = event.detail;
    form.elements.text.focus();
  });
}

// What is being sent, and where the focus was: people may go on writing meanwhile.
function contents(form) {
  const { text, attachment } = form.elements;
  return { text: text.value, file: attachment.files[0], focused: document.activeElement };
}

function detach(form) {
  form.elements.attachment.value = "";
  showAttachment(form);
  form.elements.attachment.focus();
}

function showAttachment(form) {
  form.querySelector("[data-detach]").hidden = form.elements.attachment.value === "";
  tooLarge(form);
  // What was wrong with the text may be right with another file, or without one.
  problem(form, "text", "");
}

// The server refuses such a file before it has read the form, and so without words.
function tooLarge(form) {
  const [file] = form.elements.attachment.files;
  const found = file !== undefined && file.size > Number(form.dataset.maxMegabytes) * 1024 * 1024;
  problem(form, "attachment", found ? form.dataset.tooLarge : "");
  return found;
}

async function send(form) {
  try {
    return await post(form);
  } catch (error) {
    // Sent again with the same key, a message leaves once.
    const known = error instanceof SyntaxError ? form.dataset.problem : form.dataset.unreachable;
    return { success: false, problems: { __all__: known } };
  }
}

function show(form, sent, { success, problems = {}, message, key }) {
  for (const place of form.querySelectorAll("[data-problem-of]")) {
    problem(form, place.dataset.problemOf, problems[place.dataset.problemOf] ?? "");
  }
  if (key) form.elements.key.value = key;
  if (!success) return form.querySelector("[aria-invalid]")?.focus();
  const { text, attachment } = form.elements;
  if (text.value === sent.text) text.value = "";
  if (attachment.files[0] === sent.file) attachment.value = "";
  showAttachment(form);
  if (document.activeElement === sent.focused) text.focus();
  const done = form.querySelector("[data-done]");
  write(done, message);
  clearTimeout(form.timer);
  form.timer = setTimeout(() => write(done, ""), DONE_FOR);
}

function problem(form, name, text) {
  write(form.querySelector(`[data-problem-of="${name}"]`), text);
  const field = form.elements[name];
  if (field && "ariaInvalid" in field) field.ariaInvalid = text ? "true" : null;
}
