// The frame of the page: network, image, layers, and which view is open.

import { ask, complain, forget, url } from "./api.js";
import * as compare from "./compare.js";
import * as cover from "./cover.js";
import { showImages } from "./images.js";
import * as maps from "./maps.js";
import * as move from "./move.js";
import { bars, el, percent } from "./parts.js";
import { go, listen, state } from "./state.js";

const VIEWS = { maps, cover, move, compare };
const TITLES = { maps: "Maps", cover: "Cover", move: "Move", compare: "Compare" };
const $ = (id) => document.getElementById(id);

let network = null; // as the server describes it
let known = []; // networks that there are
let shown = {}; // the state that stands on the page
let pictured = ""; // the network and image whose predictions do
let shownMaps = null; // of the layer, strongest first

async function start() {
  known = await ask("networks");
  $("network").replaceChildren(...known.map(({ id, origin }) => el("option", { value: id }, origin ? `${id} (${origin})` : id)));
  const wanted = state();
  if (!known.length) throw new Error("There is no network yet: `make repro` trains those of the study.");
  const first = known.find(({ id }) => id === "tab3_zfnet") ?? known[0];
  const changes = {};
  if (!known.some(({ id }) => id === wanted.network)) changes.network = first.id;
  if (!wanted.image) changes.image = "sample:cat";
  listen((now) => { forget(); show(now).catch(complain); });
  if (Object.keys(changes).length) go(changes, { replace: true });
  else await show(wanted);
}

async function show(now) {
  const before = shown;
  shown = now;
  $("network").value = now.network;
  if (network?.id !== now.network) {
    network = await ask("network", { network: now.network });
    if (!network) return;
    const millions = (network.parameters / 1e6).toFixed(1);
    $("about").textContent = `${network.layers.length} layers, ${millions} M weights, ${network.classes.length} classes, crops of ${network.crop} pixels` +
      (network.at_chance ? ": no better than chance on its validation images" : "");
    await showImages(network);
  }
  if (!network.layers.some(({ name }) => name === now.layer)) {
    go({ layer: (network.layers.filter((layer) => layer.field).at(-1) ?? network.layers[0]).name, map: null, row: null, column: null }, { replace: true });
    return;
  }
  showStrip(now);
  showTabs(now);
  const asked = { network: now.network, image: now.image };
  if (pictured !== JSON.stringify(asked)) {
    await showPicture(now);
    pictured = JSON.stringify(asked);
    shownMaps = null;
  }
  if (shownMaps?.layer !== now.layer) {
    shownMaps = await ask("layer", { ...asked, layer: now.layer });
    if (!shownMaps) return;
  }
  if (!shownMaps.maps.some(({ map }) => String(map) === now.map)) {
    go({ map: shownMaps.maps[0].map, row: null, column: null }, { replace: true });
    return;
  }
  await showField(now);
  const view = VIEWS[now.view] ? now.view : "maps";
  await VIEWS[view].show($("view"), { now, network, known, layer: shownMaps, before: before.view === view ? before : {} });
}

async function showPicture(now) {
  const crop = $("crop");
  crop.src = url("picture.png", { network: now.network, image: now.image });
  crop.alt = `what the network sees of ${now.image}`;
  const seen = await ask("see", { network: now.network, image: now.image });
  if (!seen) return;
  const truth = seen.label === null ? [] : [el("p", {}, `It is: ${seen.label}`)];
  $("predictions").replaceChildren(
    bars(seen.predictions.map(({ name, probability }) => ({ name, value: probability, text: percent(probability) }))),
    ...truth,
    el("p", { class: "quiet" }, `A guess would be right in ${percent(seen.chance)}. It knows ${network.classes.length} classes and nothing else.`));
  for (const thumb of document.querySelectorAll("#images button")) thumb.setAttribute("aria-pressed", thumb.dataset.image === now.image);
}

// The part of the image that the chosen unit sees, as a box on it.
async function showField(now) {
  const box = $("field");
  const map = shownMaps.maps.find(({ map: each }) => String(each) === now.map);
  const place = { row: now.row ?? map.row, column: now.column ?? map.column };
  const window_ = await ask("window", { network: now.network, layer: now.layer, ...place });
  if (!window_) return;
  const share = (length) => `${(100 * length) / network.crop}%`;
  box.hidden = now.view !== "maps" || (map.peak === 0 && now.row === undefined);
  Object.assign(box.style, { top: share(window_.top), left: share(window_.left), width: share(window_.width), height: share(window_.height) });
}

function showStrip(now) {
  const field = (layer) => (layer.field ? `sees ${Math.min(layer.field, network.crop)} px` : "sees all");
  const size = (layer) => (layer.height > 1 || layer.field ? `${layer.maps} × ${layer.height}×${layer.width}` : `${layer.maps} units`);
  $("strip").replaceChildren(...network.layers.map((layer) => el("button", {
    type: "button", class: "layer", "aria-pressed": layer.name === now.layer,
    title: layer.field ? `a unit sees ${layer.field} × ${layer.field} pixels of ${network.crop}` : "a unit sees the whole crop",
    onclick: () => go({ layer: layer.name, map: null, row: null, column: null }),
  }, el("strong", {}, layer.name), el("span", {}, size(layer)), el("span", { class: "quiet" }, field(layer)))));
}

function showTabs(now) {
  document.querySelector("[role=tablist]").replaceChildren(...Object.keys(VIEWS).map((view) => el("button", {
    type: "button", role: "tab", id: `tab-${view}`, "aria-selected": view === now.view, "aria-controls": "view", onclick: () => go({ view }),
  }, TITLES[view])));
  $("view").setAttribute("aria-labelledby", `tab-${now.view}`);
}

function step(by) {
  const now = state();
  const at = shownMaps?.maps.findIndex(({ map }) => String(map) === now.map) ?? -1;
  const next = shownMaps?.maps[at + by];
  if (next) go({ map: next.map, row: null, column: null });
}

function climb(by) {
  const at = network.layers.findIndex(({ name }) => name === state().layer);
  const next = network.layers[at + by];
  if (next) go({ layer: next.name, map: null, row: null, column: null });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, dialog, [data-arrows]")) return;
  const keys = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => climb(1), ArrowDown: () => climb(-1),
    "?": () => $("keys").showModal(),
    ...Object.fromEntries(Object.keys(VIEWS).map((view, i) => [String(i + 1), () => go({ view })])),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

$("network").addEventListener("change", (event) => go({ network: event.target.value, map: null, row: null, column: null }));
$("help").addEventListener("click", () => $("keys").showModal());

const dark = matchMedia("(prefers-color-scheme: dark)");
function colour(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
  localStorage.setItem("theme", theme);
}
colour(localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => colour(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

start().catch(complain);
