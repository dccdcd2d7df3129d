// What the scripts say, in the language of the page, which brings it along.

export const TEXTS = JSON.parse(document.getElementById("connection-texts").textContent);

// `{name}` becomes what `values` has under that name.
export function fill(text, values) {
  return text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
}

// As people say how long something lasts: `3 h 12 min`, the largest unit and the next one.
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
