// What the pages do beyond htmx: filter the rows of a table while somebody types.
"use strict";

document.addEventListener("input", (event) => {
  const field = event.target.closest("[data-filter]");
  if (!field) return;
  const wanted = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll(field.dataset.filter)) {
    const text = row.textContent.toLocaleLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
  }
});

// A log is shown from its end on, and stays there as it grows, unless somebody has scrolled back.
let isAtEnd = true;
document.addEventListener("scroll", (event) => {
  const log = event.target;
  if (log.id === "log") isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
}, true);
const toEnd = () => {
  const log = document.getElementById("log");
  if (log && isAtEnd) log.scrollTop = log.scrollHeight;
};
document.addEventListener("htmx:after:swap", toEnd);
toEnd();
