// Two networks on the same image: the chosen map, and the map of the other that fires like it.

import { ask, complain } from "./api.js";
import { showTop } from "./maps.js";
import { bars, el, number, percent, picture, waiting } from "./parts.js";
import { go } from "./state.js";

export async function show(place, { now, network, known, layer }) {
  const others = known.filter(({ id }) => id !== now.network);
  if (!others.length) {
    place.replaceChildren(el("p", {}, "There is only one network: `python -m zfrepro.look ONE ANOTHER` adds more."));
    return;
  }
  const like = others.find(({ id }) => id === (now.network.startsWith("rendered_") ? "rendered_alexnet" : "tab3_alexnet")) ?? others[0];
  const other = others.some(({ id }) => id === now.other) ? now.other : like.id;
  const select = el("select", { id: "other", onchange: (event) => go({ other: event.target.value }) },
    ...others.map(({ id, origin }) => el("option", { value: id, selected: id === other }, origin ? `${id} (${origin})` : id)));
  const [left, right] = [el("article", { class: "panel" }), el("article", { class: "panel" })];
  place.replaceChildren(el("label", {}, "The other network ", select), el("div", { class: "columns even" }, left, right));
  const name = layer.names ? layer.names[now.map] : `map ${now.map}`;
  await Promise.all([
    side(left, { network: now.network, image: now.image, layer: now.layer, map: now.map }, `${now.network}, ${now.layer} ${name}`, now),
    match(right, now, other),
  ]);
}

async function match(place, now, other) {
  place.replaceChildren(el("h2", {}, other));
  const wait = el("div");
  place.append(wait);
  let found;
  try {
    found = await ask("match", { network: now.network, layer: now.layer, map: now.map, other }, { waiting: waiting(wait) });
  } catch (error) {
    wait.replaceChildren(el("p", {}, error.message));
    return;
  }
  if (!found) return;
  const chosen = found.maps[Number(now.rank ?? 0)] ?? found.maps[0];
  const choices = el("p", {}, "The maps that fire for the same images: ", ...found.maps.map(({ layer, map, correlation }, i) => el("button", {
    type: "button", "aria-pressed": found.maps[i] === chosen, onclick: () => go({ rank: i || null }, { replace: true }),
  }, `${layer} map ${map}, ${number(correlation)}`)));
  const words = `${other}, ${chosen.layer} map ${chosen.map}: correlation ${number(chosen.correlation)} of the peaks over ${found.images} images`;
  await side(place, { network: other, image: now.image, layer: chosen.layer, map: chosen.map }, words, now, choices);
}

async function side(place, asked, title, now, ...more) {
  const [seen, layer] = await Promise.all([
    ask("see", { network: asked.network, image: asked.image }, { kind: `see-${asked.network}` }),
    ask("layer", asked, { kind: `layer-${asked.network}` }),
  ]);
  if (!seen || !layer) return;
  const peak = layer.maps.find(({ map }) => map === Number(asked.map)).peak;
  const top = el("div");
  place.replaceChildren(
    el("h2", {}, title), ...more,
    bars(seen.predictions.slice(0, 3).map(({ name, probability }) => ({ name, value: probability, text: percent(probability) }))),
    peak > 0
      ? el("div", { class: "trio" },
        el("figure", {}, picture("projection.png", { ...asked, contrast: now.contrast }, `projection of ${title}`, { class: "large" }), el("figcaption", {}, `projection, peak ${number(peak)}`)),
        el("figure", {}, picture("patch.png", { ...asked, part: "window" }, `what ${title} sees`, { class: "large" }), el("figcaption", {}, "what the unit sees")))
      : el("p", {}, "It does not fire for this image."),
    top);
  await showTop(top, asked, now, { kind: `top-${asked.network}` }).catch(complain);
}
