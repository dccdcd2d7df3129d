"""Measure a page at several widths: nothing sticks out, no text is cut, no word is broken."""

from __future__ import annotations

from playwright.sync_api import Page

WIDTHS = (360, 768, 1280, 1920)
# Long addresses and ids may be broken; words may not. 21 letters are a long word in Portuguese.
PROBLEMS = """() => {
  const found = [];
  const root = document.documentElement, range = document.createRange();
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} px wide`);
  const told = (element) =>
    `${element.tagName}.${element.className}: ${element.innerText}`.slice(0, 90);
  const hidden = (element) => element.closest(".visually-hidden, [hidden], svg")
    || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    || getComputedStyle(element).clipPath !== "none";
  for (const element of document.body.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    if (style.overflowX === "visible" || element.matches("pre, input, select, textarea")) continue;
    if (element.scrollWidth <= element.clientWidth + 1 || !element.innerText?.trim()) continue;
    if (!hidden(element)) found.push(`cut or scrolled sideways: ${told(element)}`);
  }
  for (const pill of document.querySelectorAll(".connection-pill")) {
    range.selectNodeContents(pill);
    const { fontSize } = getComputedStyle(pill);
    const broken = range.getBoundingClientRect().height > 2 * parseFloat(fontSize);
    if (broken && !hidden(pill)) found.push(`on two lines: ${told(pill)}`);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (parent.closest("script, style, template, noscript, pre, option")) continue;
    for (const word of node.data.matchAll(/(?<![^\\s(])\\p{L}{2,21}(?![^\\s.,:;…)])/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top / 4)));
      if (lines.size > 1 && !hidden(parent)) found.push(`broken: ${word[0]} in ${told(parent)}`);
    }
  }
  return found;
}"""


def problems(page: Page) -> list[str]:
    """Return a line for each problem at each width."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width} px: {line}" for line in page.evaluate(PROBLEMS)]
    page.set_viewport_size({"width": 1280, "height": 800})
    return found
