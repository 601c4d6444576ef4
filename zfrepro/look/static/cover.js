// Figure 7, live: a grey square is drawn over the image, and what it hides from the network.

import { ask, complain } from "./api.js";
import { bars, el, files, number, percent, picture, slider, takeAway } from "./parts.js";
import { go } from "./state.js";

const STEP = 4; // pixels of the crop that an arrow moves the square

export async function show(place, { now, network, layer }) {
  const crop = network.crop;
  const side = Number(now.side ?? Math.round(crop / 7));
  const grey = Number(now.grey ?? 128);
  const at = { top: Number(now.top ?? (crop - side) / 2), left: Number(now.left ?? (crop - side) / 2) };
  const asked = { network: now.network, image: now.image, layer: now.layer, map: now.map };
  const results = el("div", { "aria-live": "polite" });
  const square = el("div", {
    class: "square", tabindex: 0, role: "application", "data-arrows": true,
    "aria-label": "the grey square; arrows move it", style: { background: `rgb(${grey} ${grey} ${grey})` },
  });
  const lay = () => {
    Object.assign(square.style, {
      top: `${(100 * at.top) / crop}%`, left: `${(100 * at.left) / crop}%`, width: `${(100 * side) / crop}%`, height: `${(100 * side) / crop}%`,
    });
  };
  const measure = async () => {
    lay();
    const found = await ask("occlude", { ...asked, top: Math.round(at.top), left: Math.round(at.left), side, grey });
    if (found) tell(results, found, now, layer);
  };
  const keep = () => go({ top: Math.round(at.top), left: Math.round(at.left) }, { replace: true });
  const shift = (top, left) => {
    at.top = Math.min(Math.max(top, 0), crop - side);
    at.left = Math.min(Math.max(left, 0), crop - side);
    measure().catch(complain);
  };
  drag(square, at, crop, shift, keep);
  const board = el("div", { class: "board" }, picture("picture.png", { network: now.network, image: now.image }, "the image"), square);
  board.addEventListener("click", (event) => {
    if (event.target === square) return;
    const box = board.getBoundingClientRect();
    shift(((event.clientY - box.top) / box.height) * crop - side / 2, ((event.clientX - box.left) / box.width) * crop - side / 2);
    keep();
  });
  const whole = el("section", { "aria-label": "the square everywhere" });
  place.replaceChildren(
    el("p", {}, "Drag the square. The network sees the image with the square on it; the line in a bar is what it said before."),
    el("div", { class: "columns" },
      el("div", {}, board,
        slider("Size", { min: 2, max: crop, value: side, step: 1, "data-arrows": true }, (value) => `${value} of ${crop} pixels`, (value) => go({ side: value }, { replace: true })),
        slider("Grey", { min: 0, max: 255, value: grey, step: 1, "data-arrows": true }, (value) => value, (value) => go({ grey: value }, { replace: true }))),
      el("div", {}, results, whole)));
  showWhole(whole, asked, { side, grey, crop, convolutional: layer.height > 1 }, now);
  await measure();
}

function drag(square, at, crop, shift, keep) {
  square.addEventListener("pointerdown", (event) => {
    const box = square.parentElement.getBoundingClientRect();
    const from = { x: event.clientX, y: event.clientY, ...at };
    square.setPointerCapture(event.pointerId);
    square.onpointermove = (move) => shift(from.top + ((move.clientY - from.y) * crop) / box.height, from.left + ((move.clientX - from.x) * crop) / box.width);
    square.onpointerup = () => { square.onpointermove = null; keep(); };
  });
  square.addEventListener("keydown", (event) => {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    shift(at.top + STEP * by[0], at.left + STEP * by[1]);
    clearTimeout(square.pause);
    square.pause = setTimeout(() => { if (square.isConnected) history.replaceState(null, "", location.hash); keepFocus(square, keep); }, 400);
  });
}

// An address of its own for where the arrows have brought it, without losing the focus.
function keepFocus(square, keep) {
  const focused = document.activeElement === square;
  keep();
  if (focused) setTimeout(() => document.querySelector(".square")?.focus(), 0);
}

function tell(place, { predictions, activation }, now, layer) {
  const highest = Math.max(activation.clean, activation.now, 1e-9);
  place.replaceChildren(
    el("h3", {}, "Classes"),
    bars(predictions.map(({ name, probability, clean }) => ({ name, value: probability, mark: clean, text: `${percent(probability)} (${percent(clean)})` }))),
    el("h3", {}, layer.names ? `${now.layer}: ${layer.names[now.map]}` : `${now.layer} map ${now.map}, its sum`),
    bars([{ name: "activation", value: activation.now / highest, mark: activation.clean / highest, text: `${number(activation.now)} (${number(activation.clean)})` }]));
}

function showWhole(place, asked, { side, grey, crop, convolutional }, now) {
  place.replaceChildren(el("h3", {}, "The square everywhere (figure 7)"));
  if (!convolutional) {
    place.append(el("p", {}, "Choose a convolutional layer: the sum of one of its maps is drawn."));
    return;
  }
  const start = el("button", { type: "button", id: "everywhere" }, "Compute the three maps");
  const shown = el("div");
  start.addEventListener("click", async () => {
    try {
      start.disabled = true;
      const scaled = Math.max(Math.round((side * 224) / crop), 1);
      const { job } = await ask("occlusion", { ...asked, side: scaled, grey, stride: 8 }, { kind: "start", post: "" });
      for (;;) {
        const work = await ask("job", { job });
        if (!work) return;
        if (work.state === "failed") throw new Error(work.message);
        if (work.state === "done") break;
        shown.replaceChildren(el("progress", { max: work.total || 1, value: work.done, "aria-label": "places of the square" }), ` ${work.done} of ${work.total} places`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      await draw(shown, job, asked, now);
    } catch (error) {
      complain(error);
    } finally {
      start.disabled = false;
    }
  });
  place.append(start, shown);
}

async function draw(place, job, asked, now) {
  const found = await ask("occlusion", { job, network: now.network }, { kind: "maps" });
  if (!found) return;
  const one = (what, caption) => el("figure", {}, picture("occlusion.png", { job, what }, caption, { class: "large pixels" }), el("figcaption", {}, caption));
  place.replaceChildren(
    el("div", { class: "trio" },
      one("activation", `sum of ${now.layer} map ${now.map}; ${number(found.activation)} uncovered is near white`),
      one("probability", `probability of ${found.label}: white is 1, uncovered ${percent(found.clean)}, least ${percent(found.least)}`),
      one("best", "the most probable class")),
    el("p", { class: "legend" }, ...found.classes.map(({ name, colour, share }) => el("span", {},
      el("span", { class: "swatch", style: { background: `rgb(${colour.join(" ")})` } }), ` ${name} ${percent(share)} `))),
    el("p", {}, files({ job }, {}, [["activation, PNG", "occlusion.png", { what: "activation" }], ["probability, PNG", "occlusion.png", { what: "probability" }], ["classes, PNG", "occlusion.png", { what: "best" }], ["all places, CSV", "occlusion.csv"]])),
    takeAway("occlusion", asked, []));
}
