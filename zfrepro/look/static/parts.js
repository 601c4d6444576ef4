// Pieces of the page that several views are made of.

import { ask, url } from "./api.js";

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (value === true && !name.startsWith("aria-")) element.setAttribute(name, "");
    else if (name.startsWith("aria-") || (value !== false && value !== undefined && value !== null)) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function picture(path, parameters, alt, attributes = {}) {
  return el("img", { src: url(path, parameters), alt, ...attributes });
}

export function number(value) {
  return Number(value).toPrecision(3).replace(/\.?0+$/, "").replace(/\.?0+e/, "e");
}

export function percent(value) {
  return `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)} %`;
}

// A bar a line: {name, value (0 to 1), text, mark (0 to 1): where it was before}.
export function bars(lines) {
  return el("ul", { class: "bars" }, ...lines.map((line) => el("li", {},
    el("span", { class: "name" }, line.name),
    el("span", { class: "bar" },
      el("span", { class: "fill", style: { width: `${100 * Math.min(line.value, 1)}%` } }),
      line.mark === undefined ? null : el("span", { class: "mark", style: { left: `${100 * Math.min(line.mark, 1)}%` } })),
    el("span", { class: "amount" }, line.text),
  )));
}

// The shell command that makes a picture, and its files.
export function takeAway(view, parameters, offered) {
  const code = el("code", {}, "…");
  ask("command", { view, ...parameters }, { kind: `command-${view}` })
    .then((answer) => { if (answer) code.textContent = answer.command; }, () => { code.textContent = ""; });
  const copy = el("button", { type: "button", onclick: () => navigator.clipboard?.writeText(code.textContent) }, "Copy");
  return el("p", { class: "take" },
    files(parameters, {}, offered),
    el("span", { class: "quiet" }, "The command that makes this picture: "), code, copy);
}

// Links to files of what is shown: [name, path, more of the question].
export function files(parameters, more, offered) {
  return el("span", { class: "take" }, ...(offered.length ? [el("span", { class: "quiet" }, "Files: ")] : []), ...offered.map(([name, path, own]) => {
    const words = [parameters.layer, parameters.map, path.split(".")[0], own?.what, parameters.kind].filter((word) => word !== undefined);
    return el("a", { href: url(path, { ...parameters, ...more, ...own }), download: `${words.join("-")}.${path.split(".")[1]}` }, name);
  }));
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Curves over x, each {name, values}, with a line at `now`; a click on them gives back an x.
export function curves(x, lines, { now, label, chosen } = {}) {
  const [width, height, left, bottom] = [420, 190, 42, 26];
  const highest = Math.max(...lines.flatMap((line) => line.values), 1e-9);
  const [first, last] = [Math.min(...x), Math.max(...x)];
  const across = (value) => left + ((width - left - 8) * (value - first)) / (last - first || 1);
  const down = (value) => 8 + (height - bottom - 8) * (1 - value / highest);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "curves", role: "img", "aria-label": label },
    svg("path", { class: "axis", d: `M${left} 8V${height - bottom}H${width - 8}` }),
    ...[0, highest / 2, highest].map((value) => svg("text", { x: left - 4, y: down(value) + 4, "text-anchor": "end" }, number(value))),
    ...[first, (first + last) / 2, last].map((value) => svg("text", { x: across(value), y: height - 8, "text-anchor": "middle" }, number(value))),
    ...lines.map((line, i) => svg("path", { class: `curve curve-${i}`, d: x.map((value, k) => `${k ? "L" : "M"}${across(value)} ${down(line.values[k])}`).join("") })));
  if (now !== undefined) drawing.append(svg("path", { class: "now", d: `M${across(now)} 8V${height - bottom}` }));
  if (chosen) {
    drawing.addEventListener("click", (event) => {
      const at = (event.clientX - drawing.getBoundingClientRect().left) * (width / drawing.clientWidth);
      chosen(first + ((at - left) / (width - left - 8)) * (last - first));
    });
  }
  const legend = el("p", { class: "legend" }, ...lines.map((line, i) => el("span", { class: `key key-${i}` }, line.name)));
  return el("div", {}, drawing, legend);
}

export function slider(name, attributes, show, change) {
  const output = el("output", {}, show(attributes.value));
  const input = el("input", { type: "range", ...attributes, oninput: () => { output.textContent = show(input.value); change(Number(input.value)); } });
  return el("label", { class: "slider" }, el("span", {}, name), input, output);
}

export function waiting(place) {
  return (answer) => {
    place.replaceChildren(el("p", { class: "quiet" }, `${answer.message} `, el("progress", { max: 1, value: answer.progress, "aria-label": answer.message })));
  };
}
