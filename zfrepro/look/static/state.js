// What is looked at, as it stands in the address: every state can be shared, reloaded and gone back to.

const listeners = [];
const DEFAULTS = { view: "maps", contrast: "own" };

export function state() {
  return { ...DEFAULTS, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
}

// Changes some of it; null takes a word out. Small steps (a slider) replace the last entry.
export function go(changes, { replace = false } = {}) {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === DEFAULTS[key]) words.delete(key);
    else words.set(key, value);
  }
  const address = `#${words}`;
  if (address === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  tell();
}

export function listen(listener) {
  listeners.push(listener);
}

function tell() {
  for (const listener of listeners) listener(state());
}

addEventListener("popstate", tell);
addEventListener("hashchange", tell);
