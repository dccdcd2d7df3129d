// Shows the times of a page that is not live in the reader's language and time zone.

import { showTimes } from "./times.js";

showTimes(document.getElementById("content"));
