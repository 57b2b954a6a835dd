// Parts of a page that come from the server and take the place of their namesakes.
export const csrf = () => document.querySelector('meta[name="csrf"]').content;

export async function load(url, options = {}) {
  const headers = { "X-Fragment": "1", ...(options.headers || {}) };
  const answer = await fetch(url, { ...options, headers, credentials: "same-origin" });
  if (answer.redirected && !answer.url.endsWith(url)) { location.href = answer.url; return null; }
  if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error(answer.status);
  return { ok: answer.ok, html: await answer.text() };
}

// `but`: the ids of parts that stay as they are, because something was shown or typed there since.
export function place(html, but = []) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const parts = [...page.body.children].filter((part) => part.id && !but.includes(part.id));
  for (const part of parts) document.getElementById(part.id)?.replaceWith(part);
  if (parts.length) settle();
  return parts.length > 0;
}

let fading;
export function settle() {
  const toast = document.querySelector("#toast > *");
  clearTimeout(fading);
  if (!toast) return;
  const leave = () => { if (toast.matches(":hover, :focus-within")) fading = setTimeout(leave, 2000); else toast.remove(); };
  fading = setTimeout(leave, 8000);
}

// Off line nothing is lost: the page stays, says so, and sends again when the line is back.
const band = () => document.getElementById("offline");
let waiting = null;

export function offline(again) {
  waiting = again;
  band().hidden = false;
}

export function online() {
  waiting = null;
  if (band()) band().hidden = true;
}

async function retry() {
  const again = waiting;
  if (!again) return;
  waiting = null;
  await again();
  if (!waiting) online();
}
addEventListener("online", retry);
document.addEventListener("click", (event) => { if (event.target.closest("[data-retry]")) retry(); });
