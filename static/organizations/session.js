// Notices that the login of this browser has ended or changed, in whatever tab that was.
//
// Tabs name their logins to each other; a socket that ends says so, too; and a tab that is looked
// at again asks the server. A page of an earlier login says so, and never goes on as somebody else
// without a word.

const ASK_AFTER = 30_000;
const ANSWER_WITHIN = 8_000;
const BEFORE = "login-before";

export function watchLogin() {
  const own = document.querySelector("meta[name=login]");
  const place = document.querySelector("[data-session]");
  if (own && place) start(place, own.dataset.login, own.dataset.loginName);
}

function start(place, login, name) {
  const channel = new BroadcastChannel("login");
  let ended = false;
  // Whether somebody else is known to be logged in now.
  let changed = false;
  let typed = false;
  let askedAt = Date.now();

  tellChange();
  channel.onmessage = ({ data }) => learn(data);
  channel.postMessage({ login, name });
  // What is typed is not thrown away by a reload.
  document.addEventListener("input", (event) => { typed ||= event.isTrusted; });
  document.addEventListener("sessionend", () => login && end());
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  addEventListener("focus", () => ask());
  addEventListener("pageshow", (event) => event.persisted && ask(0));
  place.querySelector("[data-session-reload]").addEventListener("click", (event) => {
    event.preventDefault();
    reload();
  });

  // Another tab has been loaded, with this login.
  function learn(other) {
    if (!login) return;
    const before = changed;
    changed = other.login !== "" && other.login !== login;
    if (changed) {
      ended = false;
      say(place.dataset.other.replace("{name}", () => other.name), "reload");
    } else if (!other.login) end();
    else if (ended) goOn();
    else if (before) place.hidden = true;
  }

  // The session of the earlier login ends a moment after the new one has begun.
  function end() {
    if (changed) return;
    ended = true;
    say(place.dataset.ended, "login");
  }

  function goOn() {
    ended = false;
    if (typed) say(place.dataset.again, "reload");
    else reload();
  }

  function reload() {
    sessionStorage.setItem(BEFORE, login);
    // A page that answers a form would be submitted again.
    location.replace(location.href.replace(/#.*/, ""));
  }

  // After a reload: whether somebody else is logged in now.
  function tellChange() {
    const before = sessionStorage.getItem(BEFORE);
    sessionStorage.removeItem(BEFORE);
    if (before && login && before !== login) say(place.dataset.changed.replace("{name}", () => name));
  }

  async function ask(after = ended ? 0 : ASK_AFTER) {
    if (!login || Date.now() - askedAt < after) return;
    askedAt = Date.now();
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const answer = await fetch(place.dataset.ask, { method: "HEAD", redirect: "manual", signal });
      if (answer.type === "opaqueredirect") {
        changed = false;
        end();
      } else if (ended && answer.ok) goOn();
    } catch {
      // The server cannot be reached, which says nothing about the login.
    }
  }

  function say(text, next = "") {
    place.hidden = false;
    const words = place.querySelector("p");
    if (words.textContent !== text) words.textContent = text;
    for (const link of place.querySelectorAll("a")) link.hidden = link.dataset.sessionNext !== next;
  }
}
