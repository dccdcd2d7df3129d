// Says in sentences what the token may do that the form would make.

const form = document.getElementById("apitoken_form");
const sentences = [...form.querySelectorAll("[data-when]")];
const days = form.querySelector("[data-days]");

const yes = (holds) => (holds ? "yes" : "no");

function values() {
  const { reach, kind, scope, sends_messages, reads_messages, expires_in_days } = form.elements;
  return {
    reach: reach.value,
    kind: kind.value,
    scope: scope.value,
    sends_messages: yes(sends_messages.checked),
    reads_messages: yes(reads_messages.checked),
    expires: yes(expires_in_days.value),
  };
}

function show() {
  const filled = values();
  for (const sentence of sentences) {
    const conditions = sentence.dataset.when.split(" ").map((each) => each.split("="));
    sentence.hidden = !conditions.every(([name, value]) => filled[name] === value);
  }
  days.textContent = form.elements.expires_in_days.value;
}

form.addEventListener("input", show);
// A browser may restore what was filled in before.
show();
