// The title of the page, which a tab in the background shows.

const plain = document.title.replace(/^\(\d+\) /, "");

// Puts the number of those that need action before the title.
export function showCount(count) {
  show(count ? `(${count}) ${plain}` : plain);
}

export function show(title) {
  if (document.title !== title) document.title = title;
}
