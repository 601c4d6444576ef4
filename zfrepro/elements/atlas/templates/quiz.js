"use strict";
// A round: of one map eight of its nine cells, and the ninth beside a cell of another map. Rounds follow from
// layer, what is shown, and seed, which stand in the address: the same address asks the same questions.
const layers = JSON.parse(document.getElementById("cells").textContent);
const $ = (id) => document.getElementById(id);
const answers = [];
let round = null;

// mulberry32: small, and the same in every browser
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function plan(layer, seed, number) {
  const draw = generator(seed * 1000003 + number * 7919 + [...layer].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 0));
  const maps = layers[layer].maps;
  const pick = (count) => Math.floor(draw() * count);
  const map = maps[pick(maps.length)];
  // of the other maps those images that are none of this one's nine
  const others = maps.flatMap((other) => {
    const ranks = [...other.images.keys()].filter((rank) => !map.images.includes(other.images[rank]));
    return ranks.length && other !== map ? [{ other, ranks }] : [];
  });
  if (!others.length) return null;
  const { other, ranks } = others[pick(others.length)];
  return { layer, number, map, other, held: pick(9), distractor: ranks[pick(ranks.length)], left: draw() < 0.5 };
}

function load(file) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = reject;
    image.src = file;
  });
}

// The place of cell `rank` in a map's picture: projections in its left half, patches in its right.
function place(layer, rank, half) {
  const { side, cell, half: between } = layers[layer];
  const step = side + cell;
  const start = half === "patches" ? 3 * step - cell + between : 0;
  return [start + (rank % 3) * step, Math.floor(rank / 3) * step];
}

function drawCell(canvas, image, layer, rank, half, x = 0, y = 0) {
  const { side } = layers[layer];
  canvas.getContext("2d").drawImage(image, ...place(layer, rank, half), side, side, x, y, side, side);
}

async function ask() {
  const [layer, shown, seed] = [$("layer").value, $("shown").value, Number($("seed").value)];
  history.replaceState(null, "", `#layer=${layer}&shown=${shown}&seed=${seed}`);
  const number = answers.filter((each) => each.layer === layer && each.shown === shown && each.seed === seed).length;
  const planned = plan(layer, seed, number);
  if (!planned) {
    $("verdict").textContent = "The maps of this layer share all their images: there is nothing to tell apart.";
    return;
  }
  const next = { ...planned, shown, seed };
  const [mine, other] = await Promise.all([load(next.map.file), load(next.other.file)]);
  const { side, cell } = layers[layer];
  const halves = shown === "both" ? ["projections", "patches"] : [shown];
  const ranks = [...Array(9).keys()].filter((rank) => rank !== next.held);
  const references = $("references");
  references.width = halves.length * (3 * (side + cell)) + 8 * (halves.length - 1);
  references.height = 3 * (side + cell);
  references.setAttribute("aria-label", `${halves.join(" and ")} of eight of the map's nine strongest images`);
  halves.forEach((half, h) => ranks.forEach((rank, i) => drawCell(references, mine, layer, rank, half,
    h * (3 * (side + cell) + 8) + (i % 3) * (side + cell), Math.floor(i / 3) * (side + cell))));
  const queries = next.left ? [[mine, next.held], [other, next.distractor]] : [[other, next.distractor], [mine, next.held]];
  ["left", "right"].forEach((id, i) => {
    const canvas = $(id).querySelector("canvas");
    canvas.width = canvas.height = side;
    drawCell(canvas, queries[i][0], layer, queries[i][1], "patches");
    $(id).className = "";
  });
  round = next;
}

async function answer(side) {
  if (!round) return;
  const [asked, correct] = [round, (side === "left") === round.left];
  round = null;
  answers.push({ ...asked, correct });
  $(asked.left ? "left" : "right").className = "yes";
  $("verdict").textContent = `${correct ? "Right" : "Wrong"}: it is map ${asked.map.map}; the other excites map ${asked.other.map}.`;
  count();
  await new Promise((resolve) => setTimeout(resolve, 900));
  await ask();
}

function count() {
  const groups = Map.groupBy ? Map.groupBy(answers, (each) => `${each.layer}|${each.shown}`) : group();
  $("score").tBodies[0].replaceChildren(...[...groups].map(([key, those]) => {
    const right = those.filter(({ correct }) => correct).length;
    const row = document.createElement("tr");
    for (const text of [...key.split("|"), right, those.length, `${Math.round((100 * right) / those.length)} %`]) row.insertCell().textContent = text;
    return row;
  }));
}

function group() {
  const found = new Map();
  for (const each of answers) found.set(`${each.layer}|${each.shown}`, [...(found.get(`${each.layer}|${each.shown}`) ?? []), each]);
  return found;
}

function table() {
  const lines = answers.map((a) => [a.layer, a.shown, a.seed, a.number, a.map.map, a.held + 1, a.other.map, a.correct ? 1 : 0].join(","));
  return ["layer,shown,seed,round,map,held_out_rank,other_map,right", ...lines, ""].join("\n");
}

function start() {
  $("layer").replaceChildren(...Object.keys(layers).map((name) => new Option(name, name)));
  if (!Object.keys(layers).length) {
    $("verdict").textContent = "No layer has two maps that fire for nine images.";
    return;
  }
  const wanted = new URLSearchParams(location.hash.slice(1));
  $("layer").value = layers[wanted.get("layer")] ? wanted.get("layer") : Object.keys(layers).at(-1);
  if (["patches", "projections", "both"].includes(wanted.get("shown"))) $("shown").value = wanted.get("shown");
  if (/^\d+$/.test(wanted.get("seed") ?? "")) $("seed").value = wanted.get("seed");
  ask();
}

$("settings").addEventListener("change", () => ask());
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("left").addEventListener("click", () => answer("left"));
$("right").addEventListener("click", () => answer("right"));
$("copy").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText(table()); $("copy").textContent = "Copied"; } catch { $("verdict").textContent = table(); }
});
$("forget").addEventListener("click", () => { answers.length = 0; count(); ask(); });
addEventListener("keydown", (event) => {
  if (event.target.closest("input, select")) return;
  if (event.key === "ArrowLeft") answer("left");
  if (event.key === "ArrowRight") answer("right");
});
start();
