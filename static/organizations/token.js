// The page that shows a secret once: copies it, and prevents a second submission by a reload.

import { offerCopies } from "../connections/shared/copy.js";

const page = document.querySelector("[data-list]");

// Reloading would submit the form again and make a second one; it opens the list instead.
history.replaceState(null, "", page.dataset.list);

offerCopies(page);
