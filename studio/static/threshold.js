// The threshold of two classes: what moves with it is computed from counts that the evaluation made.
"use strict";

(() => {
  const section = document.getElementById("threshold");
  if (!section) return;
  const { cuts, found, falseAlarms, positives, negatives, served } = JSON.parse(section.dataset.thresholds);
  const slider = document.getElementById("cut");
  const costs = [document.getElementById("cost-false-alarm"), document.getElementById("cost-miss")];
  const said = document.getElementById("cut-said");
  const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 4 });
  const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
  const share = (part, whole) => (whole ? part / whole : null);

  const costAt = (place) => {
    const [ofFalseAlarm, ofMiss] = costs.map((field) => Math.max(0, field.valueAsNumber || 0));
    return falseAlarms[place] * ofFalseAlarm + (positives - found[place]) * ofMiss;
  };

  // Of several thresholds with the lowest cost, the one next to the endpoint's.
  const cheapest = () =>
    cuts.reduce((best, _, place) => {
      const less = costAt(place) - costAt(best);
      const nearer = Math.abs(cuts[place] - cuts[served]) < Math.abs(cuts[best] - cuts[served]);
      return less < 0 || (less === 0 && nearer) ? place : best;
    }, 0);

  const show = () => {
    const place = Number(slider.value);
    const [hits, alarms] = [found[place], falseAlarms[place]];
    const counts = { found: hits, missed: positives - hits, falseAlarms: alarms, rightNegatives: negatives - alarms };
    const rates = {
      Precision: share(hits, hits + alarms),
      Recall: share(hits, positives),
      Specificity: share(counts.rightNegatives, negatives),
      F1: share(2 * hits, hits + alarms + positives),
      Accuracy: share(hits + counts.rightNegatives, positives + negatives),
      "Answered positive": share(hits + alarms, positives + negatives),
    };
    for (const cell of section.querySelectorAll("[data-count]")) cell.textContent = number(counts[cell.dataset.count]);
    for (const cell of section.querySelectorAll("[data-rate]")) {
      const rate = rates[cell.dataset.rate];
      cell.textContent = rate === null ? "-" : rate.toFixed(4);
    }
    const falseRate = rates.Specificity === null ? null : 1 - rates.Specificity;
    const places = { roc: [falseRate, rates.Recall], precision: [rates.Recall, rates.Precision] };
    for (const mark of document.querySelectorAll("[data-curve]")) {
      const [across, upwards] = places[mark.dataset.curve];
      const square = mark.ownerSVGElement.querySelector(".frame").width.baseVal.value;
      mark.toggleAttribute("hidden", across === null || upwards === null);
      mark.setAttribute("cx", (across ?? 0) * square);
      mark.setAttribute("cy", (1 - (upwards ?? 0)) * square);
    }
    slider.setAttribute("aria-valuetext", String(cuts[place]));
    const asServed = place === served && cuts[place] === 0.5 ? ", as served" : "";
    const least = cheapest();
    const lowest = costAt(least) < costAt(place) ? `; the lowest cost is ${number(costAt(least))}, at ${cuts[least]}` : "";
    said.textContent =
      `Threshold ${cuts[place]}${asServed}: cost ${number(costAt(place))}, with ` +
      `${counted(alarms, "false alarm", "false alarms")} and ${counted(counts.missed, "miss", "misses")}${lowest}.`;
  };

  section.addEventListener("input", show);
  section.addEventListener("click", (event) => {
    const to = event.target.closest("[data-to]")?.dataset.to;
    if (!to) return;
    slider.value = to === "served" ? served : cheapest();
    show();
  });
  show();
})();
