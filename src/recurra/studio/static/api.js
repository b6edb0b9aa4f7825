// Requests to the server that this page came from. Addresses are relative: the token is the first part of each.
import { say } from "./dom.js";

export function address(name, words = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(words)) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(key, one);
  }
  return `api/${name}?${query}`;
}

async function answered(response) {
  const found = await response.json().catch(() => ({ error: "The server did not answer; is it still running?" }));
  if (!response.ok) throw Object.assign(new Error(found.error || `error ${response.status}`), { status: response.status });
  return found;
}

export async function get(name, words, options = {}) {
  return answered(await fetch(address(name, words), options));
}

export const CHANGED = 409; // what is to be replaced is not what this page has read

export async function post(name, words) {
  return answered(await sent(name, words));
}

const sent = (name, words) =>
  fetch(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(words) });

export async function download(name, words, fallback) {
  const response = await sent(name, words);
  if (!response.ok) return answered(response);
  save(await response.blob(), nameOf(response) || fallback);
}

function nameOf(response) {
  const found = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("content-disposition") || "");
  return found && decodeURIComponent(found[1]);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Does something that may fail; what went wrong is said in a sentence.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
    return undefined;
  }
}
