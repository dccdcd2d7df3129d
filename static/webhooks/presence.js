// Asks whether the server is there, and the session, on pages that have no socket.

const EVERY = 6_000;
const ANSWER_WITHIN = 8_000;

// Calls `onAnswer(there)` after each question; there is none while nobody looks at the page.
// Returns a function that ends it.
export function askForPresence(address, onAnswer) {
  let timer = null;
  let over = false;
  document.addEventListener("sessionend", () => { over = true; });
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  addEventListener("offline", ask);
  addEventListener("online", ask);
  timer = setTimeout(ask, EVERY);
  return () => { over = true; };

  async function ask() {
    clearTimeout(timer);
    if (over || document.hidden) return;
    onAnswer(await isThere(address));
    clearTimeout(timer);
    timer = setTimeout(ask, EVERY);
  }
}

async function isThere(address) {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN);
    const answer = await fetch(address, { method: "HEAD", redirect: "manual", signal });
    if (answer.type === "opaqueredirect") document.dispatchEvent(new Event("sessionend"));
    return answer.ok;
  } catch {
    return false;
  }
}
