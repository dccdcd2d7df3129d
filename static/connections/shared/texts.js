// Texts of the scripts, in the page's language; the page contains them.

export const TEXTS = JSON.parse(document.getElementById("connection-texts").textContent);

// Replaces `{name}` by the value of that name.
export function fill(text, values) {
  return text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
}

// Formats a duration with its two largest units: `3 h 12 min`.
export function duration(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [size, text] of TEXTS.units) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count) parts.push(fill(text, { count }));
    if (parts.length && (!count || parts.length === 2)) break;
  }
  return parts.join(" ") || fill(TEXTS.units.at(-1)[1], { count: 0 });
}
