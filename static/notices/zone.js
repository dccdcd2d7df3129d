// Chooses the reader's time zone until they have chosen one.

const zone = document.getElementById("notice-zone");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = [...zone.options].some((option) => option.value === own);
if ("guess" in zone.dataset && known) zone.value = own;
