// Which image: the photographs of the page, those of a folder, uploads, and the network's own set.

import { ask, complain, url } from "./api.js";
import { el, waiting } from "./parts.js";
import { go, state } from "./state.js";

const place = document.getElementById("images");
const source = document.getElementById("source");
let known = null;
let network = null;

export async function showImages(of) {
  network = of;
  known ??= await ask("images");
  const groups = [
    ["samples", "photographs"], ["uploads", "your pictures"], ["folder", "your folder"],
  ].filter(([group]) => known[group].length);
  const chosen = source.value || groups.find(([group]) => known[group].some(({ id }) => id === state().image))?.[0];
  source.replaceChildren(
    ...groups.map(([value, name]) => el("option", { value }, name)),
    el("option", { value: "set" }, "its validation images"),
    ...network.classes.map((name, i) => el("option", { value: `set:${i}` }, `its images of ${name}`)));
  source.value = chosen ?? (state().image?.startsWith("set:") ? "set" : groups[0][0]);
  await fill();
}

async function fill() {
  const [group, label] = source.value.split(":");
  if (group !== "set") {
    place.replaceChildren(...known[group].map(thumb));
    return;
  }
  const set = await ask("set", { network: network.id, label }, { waiting: waiting(place) });
  if (!set) return;
  place.replaceChildren(...(set.images.length ? set.images.map(thumb) : [el("p", {}, "The images that this network was trained on are not on this machine.")]));
}

function thumb({ id, title, name, credit }) {
  const words = title ?? name;
  const parameters = id.startsWith("set:") ? { image: id, network: network.id } : { image: id };
  return el("button", {
    type: "button", "data-image": id, "aria-pressed": id === state().image, title: credit ? `${words}: ${credit}` : words,
    onclick: () => go({ image: id, row: null, column: null }),
  }, el("img", { src: url("picture.png", parameters), alt: words, loading: "lazy" }));
}

async function take(file) {
  if (!file) return;
  try {
    const { id } = await ask("images", { name: file.name || "picture" }, { kind: "upload", post: file });
    known = await ask("images");
    source.value = "";
    await showImages(network);
    source.value = "uploads";
    await fill();
    go({ image: id, row: null, column: null });
  } catch (error) {
    complain(error);
  }
}

source.addEventListener("change", () => fill().catch(complain));
document.getElementById("file").addEventListener("change", (event) => take(event.target.files[0]));
document.addEventListener("paste", (event) => take([...event.clipboardData.files][0]));
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer.files[0]);
});
