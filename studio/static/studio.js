// What the pages do beyond htmx: filter a table while somebody types, follow a log, say what is no longer up to date.
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

// A part that cannot be brought up to date stays as it was; the page says so until an answer comes again.
const stale = new Map(); // the part's id -> why
let upToDate = new Date();
const answered = (part, why) => {
  if (why) stale.set(part, why);
  else stale.delete(part);
  if (!stale.size) upToDate = new Date();
  const said = document.getElementById("stale");
  const text = `Not up to date since ${upToDate.toLocaleTimeString()}: ${[...stale.values()][0]} It is tried again.`;
  said.hidden = !stale.size;
  if (stale.size && said.textContent !== text) said.textContent = text;
};
const problemIn = (html) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  const [heading, text] = ["h1", "main p"].map((found) => page.querySelector(found)?.textContent.trim());
  return heading ? `${heading}${text ? `: ${text.slice(0, 300)}` : ""}.` : "the server answers with an error.";
};
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  answered(ctx.target?.id, ctx.response.status < 400 ? "" : problemIn(ctx.text));
});
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx && !ctx.response) answered(ctx.target?.id, "the server does not answer.");
});
