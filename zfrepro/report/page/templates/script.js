"use strict";
// The page is whole without this: it adds a theme switch, enlarged pictures, and copying of commands.
const byId = (id) => document.getElementById(id);

// theme: the system's, until the reader chooses
const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
const button = byId("theme");
const name = () => { button.ariaLabel = button.title = isDark() ? "Light theme" : "Dark theme"; };
try { root.dataset.theme = localStorage.getItem("zfrepro-theme") ?? (dark.matches ? "dark" : "light"); } catch { /* a private window */ }
button.hidden = false;
button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("zfrepro-theme", root.dataset.theme); } catch { /* a private window */ }
  name();
});
name();

// claims by verdict: the choice stands in the address
const filter = document.querySelector(".filter");
const judged = [...document.querySelectorAll(".claim")];
function choose(verdict) {
  if (!filter) return;
  filter.hidden = false;
  const known = judged.some((claim) => claim.dataset.verdict === verdict) ? verdict : "";
  for (const claim of judged) claim.hidden = known !== "" && claim.dataset.verdict !== known;
  for (const button of filter.querySelectorAll("button")) button.ariaPressed = String(button.dataset.verdict === known);
  if (known) byId("claims").scrollIntoView();
  byId("filtered").textContent = known ? `${judged.filter((claim) => !claim.hidden).length} of ${judged.length} claims are shown` : "";
}
filter?.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) location.hash = button.dataset.verdict ? `verdict-${button.dataset.verdict}` : "claims";
});

// a link to a recipe opens it, and marks the command of the number that was followed
let wanted = null;
function reveal() {
  choose(location.hash.match(/^#verdict-([\w-]+)$/)?.[1] ?? "");
  const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  document.querySelectorAll(".chosen").forEach((line) => line.classList.remove("chosen"));
  for (const line of target.querySelectorAll(".command")) {
    if (line.querySelector("code").textContent === wanted) line.classList.add("chosen");
  }
  target.scrollIntoView();
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  wanted = link.dataset.command ?? null;
  if (link.hash === location.hash) reveal(); // no hashchange comes
});
addEventListener("hashchange", reveal);
reveal();

// commands can be copied
for (const line of document.querySelectorAll(".command")) {
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.querySelector("code").textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(line.querySelector("code"));
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  line.append(copy);
}

// enlarged pictures
const box = byId("lightbox");
const stage = box.querySelector(".stage");
const pictures = [...document.querySelectorAll(".zoom")];
let shown = 0;
function show(index) {
  shown = (index + pictures.length) % pictures.length;
  const [link, image] = [pictures[shown], pictures[shown].querySelector("img")];
  const article = link.closest("article");
  byId("lightbox-image").src = image.src;
  byId("lightbox-image").alt = image.alt;
  byId("lightbox-caption").textContent = `${article.querySelector("h3").textContent.trim()}: ${link.nextElementSibling.firstChild.textContent.trim()}`;
  byId("lightbox-file").href = link.href;
  stage.classList.remove("actual");
}
pictures.forEach((link, index) => link.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(index);
  box.showModal();
}));
byId("lightbox-before").addEventListener("click", () => show(shown - 1));
byId("lightbox-after").addEventListener("click", () => show(shown + 1));
byId("lightbox-close").addEventListener("click", () => box.close());
byId("lightbox-image").addEventListener("click", () => stage.classList.toggle("actual"));
stage.addEventListener("click", (event) => { if (event.target === stage) box.close(); });
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") show(shown - 1);
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "Enter" && event.target === stage) stage.classList.toggle("actual");
});
box.addEventListener("close", () => pictures[shown].focus());

// on paper nothing can be opened
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.settings, .recipe)").forEach((each) => { each.open = true; }));
