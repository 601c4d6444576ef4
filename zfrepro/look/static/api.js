// Questions to the server. A newer question of the same kind takes the place of an older one.

const asked = new Map();
const trouble = document.getElementById("trouble");

export function url(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return `api/${path}?${new URLSearchParams(given)}`;
}

// The answer; what is still being made is asked for again, and `waiting` told how far it is.
// null where a newer question of this kind has been put.
export async function ask(path, parameters, { kind = path, waiting = () => {}, post } = {}) {
  asked.get(kind)?.abort();
  const abort = new AbortController();
  asked.set(kind, abort);
  let pause = 250;
  try {
    for (;;) {
      const options = { signal: abort.signal, ...(post === undefined ? {} : { method: "POST", body: post }) };
      const response = await fetch(url(path, parameters), options);
      const answer = await response.json();
      if (response.status === 202) {
        waiting(answer);
        await new Promise((resolve) => setTimeout(resolve, pause));
        if (abort.signal.aborted) return null;
        pause = Math.min(2 * pause, 2000);
        continue;
      }
      if (!response.ok) throw new Error(sentence(answer));
      return answer;
    }
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}

export function complain(error) {
  trouble.textContent = error.message === "Failed to fetch" ? "The page's server does not answer: is it still running?" : error.message;
  trouble.hidden = false;
}

// What was wrong is over once something else is looked at.
export function forget() {
  trouble.hidden = true;
}

function sentence(answer) {
  if (typeof answer.detail === "string") return answer.detail;
  return answer.detail?.map((each) => `${each.loc.at(-1)}: ${each.msg}`).join("; ") ?? "something went wrong";
}
