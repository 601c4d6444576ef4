// Figure 5, live: the image is moved, enlarged or turned, and how far two layers' features go.

import { ask, complain, url } from "./api.js";
import { bars, curves, el, files, number, percent, slider, takeAway } from "./parts.js";
import { go } from "./state.js";

const KINDS = {
  translation: { name: "Shift", none: 0, step: 1, show: (amount) => `${amount} pixels down` },
  scale: { name: "Scale", min: 1, max: 1.8, none: 1, step: 0.05, show: (amount) => `${amount} times` },
  rotation: { name: "Rotation", min: 0, max: 350, none: 0, step: 5, show: (amount) => `${amount}° anticlockwise` },
};

export async function show(place, { now, network, before }) {
  const names = network.layers.map(({ name }) => name);
  const layers = [names[0], names.at(-2) ?? names[0]].join(",");
  const kind = KINDS[now.kind] ? now.kind : "rotation";
  const amount = Number(now.amount ?? (kind === "rotation" ? 30 : KINDS[kind].none));
  const asked = { network: now.network, image: now.image, kind, layers };
  const far = Math.round((60 * network.crop) / 224);
  const sliders = Object.entries(KINDS).map(([each, { name, min = -far, max = far, none, step, show: words }]) => slider(
    name, { min, max, step, value: each === kind ? amount : none, "data-arrows": true, "data-kind": each }, words,
    (value) => go({ kind: each, amount: value }, { replace: true })));
  const moved = el("img", { src: url("moved.png", { network: now.network, image: now.image, kind, amount }), alt: `the image, ${KINDS[kind].show(amount)}`, class: "board-image" });
  const results = el("div", { "aria-live": "polite" });
  const drawn = el("div");
  const kept = place.querySelector("[data-view=move]") && ["network", "image"].every((key) => before[key] === now[key]) ? place.querySelector("[data-view=move]") : null;
  if (kept) {
    kept.querySelector(".moved").replaceChildren(moved);
    kept.querySelector(".results").replaceChildren(results);
    kept.querySelectorAll("input").forEach((input) => {
      const value = input.dataset.kind === kind ? amount : KINDS[input.dataset.kind].none;
      if (document.activeElement !== input) { input.value = value; input.nextElementSibling.textContent = KINDS[input.dataset.kind].show(value); }
    });
    kept.querySelector(".drawn").replaceChildren(drawn);
  } else {
    place.replaceChildren(el("div", { "data-view": "move" },
      el("p", {}, "The whole image is transformed, and the network sees its centre: what comes in from the side is real."),
      el("div", { class: "columns" },
        el("div", {}, el("div", { class: "moved" }, moved), ...sliders),
        el("div", {}, el("div", { class: "results" }, results), el("div", { class: "drawn" }, drawn)))));
  }
  const [found, line] = await Promise.all([ask("move", { ...asked, amount }), ask("curves", asked)]);
  if (found) {
    const highest = Math.max(...Object.values(found.relative), 1);
    results.replaceChildren(
      el("h3", {}, "How far features go, in norms of the features"),
      bars(Object.entries(found.relative).map(([layer, value]) => ({ name: layer, value: value / highest, text: number(value) }))),
      el("h3", {}, "Probability"),
      bars([{ name: found.name, value: found.probability, mark: found.clean, text: `${percent(found.probability)} (${percent(found.clean)})` }]));
  }
  if (line) {
    drawn.replaceChildren(
      curves(line.amounts, [...Object.entries(line.layers).map(([name, values]) => ({ name, values })), { name: `probability of ${found?.name ?? "the class"}`, values: line.probability }], {
        now: amount, label: `distances and probability by ${kind}`,
        chosen: (x) => go({ kind, amount: Math.round(x / KINDS[kind].step) * KINDS[kind].step }, { replace: true }),
      }),
      el("p", {}, files(asked, {}, [["image, PNG", "moved.png", { amount }], ["curves, CSV", "curves.csv"]])),
      takeAway("invariance", { network: now.network, image: now.image }, []));
  }
}
