// Forms with data-fragment are sent in the background: each element with an id in the answer replaces its namesake.
const csrf = () => document.querySelector('meta[name="csrf"]').content;

export async function load(url, options = {}) {
  const headers = { "X-Fragment": "1", ...(options.headers || {}) };
  const answer = await fetch(url, { ...options, headers, credentials: "same-origin" });
  if (answer.redirected && !answer.url.endsWith(url)) { location.href = answer.url; return null; }
  if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error(answer.status);
  return { ok: answer.ok, html: await answer.text() };
}

export function place(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const parts = [...page.body.children].filter((part) => part.id);
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

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.busy) return event.preventDefault();          // a double click is one click
  if (!form.matches("[data-fragment]")) { form.dataset.busy = "1"; setTimeout(() => delete form.dataset.busy, 3000); return; }
  event.preventDefault();
  form.dataset.busy = "1";
  form.setAttribute("aria-busy", "true");
  const open = location.hash === "#panier";
  try {
    const answer = await load(form.action, { method: "POST", body: new FormData(form) });
    if (answer && !place(answer.html)) location.reload();
    if (form.action.endsWith("/panier/ajouter")) {               // sold: the page is ready for the next game
      history.replaceState(null, "", "/");
      const field = document.getElementById("ean");
      if (field) { field.value = ""; if (document.getElementById("viewer").hidden) field.focus({ preventScroll: true }); }
    } else document.querySelector("#toast button, .item .btn-icon, #ean")?.focus({ preventScroll: true });
    if (open) location.replace("#panier");
  } catch { delete form.dataset.busy; form.removeAttribute("data-fragment"); form.submit(); }
});

document.addEventListener("click", (event) => {
  const shown = event.target.closest("[data-show]");
  if (shown) {
    const field = document.getElementById(shown.dataset.show);
    field.type = field.type === "password" ? "text" : "password";
    shown.setAttribute("aria-pressed", field.type === "text");
  }
  const gone = event.target.closest("[data-dismiss]");
  if (gone) { event.preventDefault(); document.getElementById(gone.dataset.dismiss).replaceChildren(); history.replaceState(null, "", "/"); document.getElementById("ean")?.focus(); }
});

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });   // back button: never an old cart
document.querySelector("[aria-invalid=true]")?.focus();
settle();
export { csrf };
