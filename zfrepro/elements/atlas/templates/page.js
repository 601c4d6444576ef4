"use strict";
// on paper nothing comes later
addEventListener("beforeprint", () => document.querySelectorAll("img[loading]").forEach((image) => { image.loading = "eager"; }));
// arrows go from map to map
addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  const maps = [...document.querySelectorAll("figure[id]")];
  const at = maps.findIndex(({ id }) => `#${id}` === location.hash);
  const next = maps[Math.min(Math.max(at + by, 0), maps.length - 1)];
  if (next) location.hash = next.id;
});
