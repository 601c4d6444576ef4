// A layer as a grid of its maps, and the chosen map: its values, what it comes from, what excites it.

import { ask, complain, url } from "./api.js";
import { bars, curves, el, files, number, picture, slider, takeAway, waiting } from "./parts.js";
import { go } from "./state.js";

const FIRST = 60; // units of a fully connected layer that are listed

export async function show(place, { now, network, layer, before }) {
  const sameGrid = ["network", "image", "layer", "contrast", "map"].every((key) => before[key] === now[key]) && place.querySelector(".grid");
  const grid = sameGrid || chooser(now, layer);
  const panel = el("article", { class: "panel", "aria-label": `map ${now.map} of ${now.layer}` });
  if (sameGrid) place.querySelector(".panel").replaceWith(panel);
  else place.replaceChildren(el("div", { class: "columns" }, el("div", { class: "grid-side" }, grid), panel));
  fill(panel, now, network, layer);
}

function chooser(now, layer) {
  const firing = layer.maps.filter(({ peak }) => peak > 0).length;
  const heading = el("p", {}, el("strong", {}, now.layer), `: ${layer.maps.length} maps, strongest first; ${firing} fire for this image. `,
    contrastSwitch(now));
  if (layer.height === 1 && layer.width === 1) return el("div", { class: "grid" }, heading, units(now, layer));
  const { columns, cell, gap } = layer.sprite;
  const sprite = url("maps.png", { network: now.network, image: now.image, layer: now.layer, contrast: now.contrast });
  const buttons = layer.maps.map(({ map, peak }) => el("button", {
    type: "button", class: "cell", "aria-pressed": String(map) === now.map, "aria-label": `map ${map}, peak ${number(peak)}`,
    title: `map ${map}, peak ${number(peak)}`,
    style: {
      backgroundImage: `url("${sprite}")`,
      backgroundPosition: `-${(map % columns) * (cell + gap)}px -${Math.floor(map / columns) * (cell + gap)}px`,
    },
    onclick: () => go({ map, row: null, column: null }),
  }));
  return el("div", { class: "grid" }, heading, el("div", { class: "cells" }, ...buttons));
}

function units(now, layer) {
  const highest = layer.maps[0].peak || 1;
  return el("div", { class: "units" }, ...layer.maps.slice(0, FIRST).map(({ map, peak }) => el("button", {
    type: "button", class: "unit", "aria-pressed": String(map) === now.map, onclick: () => go({ map, row: null, column: null }),
  }, bars([{ name: layer.names?.[map] ?? `unit ${map}`, value: Math.max(peak, 0) / highest, text: number(peak) }]))));
}

function contrastSwitch(now) {
  const rule = el("span", { class: "quiet", id: "rule" });
  ask("contrast").then((answer) => { if (answer) rule.textContent = answer.rule; }, complain);
  return el("details", { class: "contrast" },
    el("summary", {}, "Contrast: ", now.contrast === "own" ? "scaled per map" : "shared by the layer"),
    el("button", { type: "button", onclick: () => go({ contrast: now.contrast === "own" ? "shared" : "own" }) },
      now.contrast === "own" ? "Share one scale" : "Scale each map"), " ", rule);
}

function fill(panel, now, network, layer) {
  const asked = { network: now.network, image: now.image, layer: now.layer, map: now.map };
  const mine = layer.maps.find(({ map }) => String(map) === now.map);
  const place = now.row === undefined ? {} : { row: now.row, column: now.column };
  const at = { row: Number(now.row ?? mine.row), column: Number(now.column ?? mine.column) };
  const name = layer.names ? `${now.layer}: ${layer.names[now.map]}` : `${now.layer} map ${now.map}`;
  const silent = mine.peak <= 0;
  const convolutional = layer.height > 1 || layer.width > 1;
  panel.append(
    el("h2", {}, name),
    el("p", {}, silent ? "This map does not fire for this image: there is nothing to project." :
      now.row === undefined ? `Its peak, ${number(mine.peak)}${convolutional ? `, at row ${mine.row}, column ${mine.column}` : ""}, and the pixels that it comes from.` :
        el("span", {}, `The unit at row ${now.row}, column ${now.column}. `, el("button", { type: "button", onclick: () => go({ row: null, column: null }) }, "Back to the peak"))));
  const shown = el("div", { class: "trio" });
  if (convolutional) shown.append(el("figure", {}, clickable(asked, at, layer, now), el("figcaption", {}, "the map; click a pixel")));
  if (!silent) {
    const how = { ...asked, ...place, contrast: now.contrast };
    shown.append(
      figure(picture("projection.png", how, `projection of ${name} to the image`, { class: "large" }), "projection: what excited it, grey is nothing"),
      figure(picture("patch.png", { ...how, part: "window" }, `the part of the image that ${name} sees`, { class: "large" }), "what this unit sees"),
      figure(picture("projection.png", { ...how, shuffled: 0 }, `the same of ${name} with shuffled weights`, { class: "large" }), "control: shuffled weights (grey: it does not fire)"));
  }
  if (network.layers[0].name === now.layer) shown.append(figure(picture("filter.png", asked, `filter ${now.map}`, { class: "large pixels" }), "its filter"));
  panel.append(shown, takeAway("deconv", { ...asked, ...place }, silent ? [] : [
    ["PNG", "projection.png"], ["SVG", "projection.svg"], ["PDF", "projection.pdf"], ["CSV", "projection.csv"], ["Map as CSV", "map.csv"]]));
  const top = el("section", { "aria-label": "strongest images" });
  const training = el("section", { "aria-label": "training" });
  panel.append(top, training);
  showTop(top, asked, now).catch(complain);
  if (network.epochs.length) showTraining(training, asked, network).catch(complain);
}

function figure(content, caption) {
  return el("figure", {}, content, el("figcaption", {}, caption));
}

// The map's values as squares of grey; a click, or arrows and Enter, project from there.
function clickable(asked, at, layer, now) {
  const canvas = el("canvas", {
    width: layer.width, height: layer.height, class: "large pixels", tabindex: 0, role: "application", "data-arrows": true,
    "aria-label": `map ${asked.map}: row ${at.row}, column ${at.column} is chosen; arrows choose another`,
  });
  const choose = (row, column) => go({
    row: Math.min(Math.max(row, 0), layer.height - 1), column: Math.min(Math.max(column, 0), layer.width - 1),
  });
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    choose(Math.floor(((event.clientY - box.top) / box.height) * layer.height), Math.floor(((event.clientX - box.left) / box.width) * layer.width));
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    sessionStorage.setItem("focus", "map");
    choose(at.row + by[0], at.column + by[1]);
  });
  ask("map", asked).then((answer) => {
    if (!answer) return;
    const context = canvas.getContext("2d");
    const highest = now.contrast === "shared" ? layer.maps[0].peak : answer.peak;
    answer.values.forEach((row, y) => row.forEach((value, x) => {
      const grey = Math.round((255 * Math.max(value, 0)) / (highest || 1));
      context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      context.fillRect(x, y, 1, 1);
    }));
  }, complain);
  if (sessionStorage.getItem("focus") === "map") {
    sessionStorage.removeItem("focus");
    queueMicrotask(() => canvas.focus());
  }
  return el("div", { class: "over" }, canvas, el("div", {
    class: "pin", style: {
      top: `${(100 * at.row) / layer.height}%`, left: `${(100 * at.column) / layer.width}%`,
      height: `${100 / layer.height}%`, width: `${100 / layer.width}%`,
    },
  }));
}

export async function showTop(place, asked, now, { weakest = false, kind = "top" } = {}) {
  const heading = el("h3", {}, weakest ? "The nine weakest peaks" : "The nine strongest images");
  place.replaceChildren(heading);
  const wait = el("div");
  place.append(wait);
  let found;
  try {
    found = await ask("top", { ...asked, weakest }, { kind, waiting: waiting(wait) });
  } catch (error) {
    wait.replaceChildren(el("p", { class: "quiet" }, error.message));
    return;
  }
  if (!found) return;
  if (!found.images.length) {
    wait.replaceChildren(el("p", {}, `It fires for none of ${found.set} images.`));
    return;
  }
  const words = found.images.map(({ name, value }) => `${name} ${number(value)}`.trim()).join(", ");
  wait.replaceChildren(
    el("p", { class: "quiet" }, `Of ${found.set} images, one peak an image: projections by one contrast, and the parts of the images.`),
    el("div", { class: "duo" },
      picture("top.png", { ...asked, weakest, what: "projections" }, `projections: ${words}`, { class: "nine" }),
      picture("top.png", { ...asked, weakest, what: "patches" }, `patches: ${words}`, { class: "nine" })),
    el("ol", { class: "links" }, ...found.images.map(({ image, name, value }) => el("li", {},
      el("button", { type: "button", onclick: () => go({ image, row: null, column: null }) }, `${name || image} ${number(value)}`)))),
    el("p", {}, files(asked, { weakest }, [["projections, PNG", "top.png", { what: "projections" }], ["patches, PNG", "top.png", { what: "patches" }], ["CSV", "top.csv"]]),
      el("button", { type: "button", onclick: () => showTop(place, asked, now, { weakest: !weakest, kind }).catch(complain) }, weakest ? "The strongest instead" : "The nine weakest instead")));
}

async function showTraining(place, asked, network) {
  const wait = el("div");
  place.replaceChildren(el("h3", {}, "As it was trained"), wait);
  const found = await ask("evolution", asked, { waiting: waiting(wait) });
  if (!found) return;
  const shown = el("div");
  const draw = (i) => {
    const epoch = found.epochs[i];
    shown.replaceChildren(
      curves(found.epochs, [{ name: "strongest activation of the map", values: found.values }], {
        now: epoch, label: `strongest activation of the map by epoch: ${found.values.map(number).join(", ")}`,
        chosen: (x) => { const best = nearest(found.epochs, x); range.querySelector("input").value = best; range.querySelector("output").textContent = `epoch ${found.epochs[best]}`; draw(best); },
      }),
      found.values[i] > 0
        ? figure(picture("evolution.png", { ...asked, epoch }, `projection and patch at epoch ${epoch}`, { class: "wide" }), `what excited it most after epoch ${epoch}`)
        : el("p", {}, `It fired for no image after epoch ${epoch}.`));
  };
  const last = found.epochs.length - 1;
  const range = slider("Epoch", { min: 0, max: last, value: last, step: 1, "data-arrows": true }, (i) => `epoch ${found.epochs[i]}`, draw);
  wait.replaceChildren(range, shown, el("p", {}, files(asked, {}, [["all epochs, PNG", "evolution.png"], ["CSV", "evolution.csv"]])));
  draw(last);
}

function nearest(values, x) {
  return values.reduce((best, value, i) => (Math.abs(value - x) < Math.abs(values[best] - x) ? i : best), 0);
}
