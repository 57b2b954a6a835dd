// Forms with data-fragment are sent in the background: each element with an id in the answer replaces its namesake.
import { load, offline, online, place, settle } from "./fragments.js";

async function send(form, body) {
  const adds = form.action.endsWith("/panier/ajouter"), ticket = form.closest("#ticket")?.firstElementChild, field = document.getElementById("ean"), before = field?.value;
  form.dataset.busy = "1";
  form.setAttribute("aria-busy", "true");
  const open = location.hash === "#panier";
  try {
    const answer = await load(form.action, { method: "POST", body });
    online();
    // Another game may have been priced, or typed, while this one was on its way: that stays.
    const moved = adds && document.querySelector("#ticket")?.firstElementChild !== ticket;
    if (answer && !place(answer.html, moved ? ["ticket"] : [])) return location.reload();
    if (adds && !moved) {
      history.replaceState(null, "", "/");
      if (field && field.value === before) {
        field.value = "";
        if (document.getElementById("viewer").hidden) field.focus({ preventScroll: true });
      }
    } else if (!adds) document.querySelector("#toast button, .item .btn-icon, #ean")?.focus({ preventScroll: true });
    if (open) location.replace("#panier");
  } catch (error) {
    delete form.dataset.busy;
    form.removeAttribute("aria-busy");
    if (!(error instanceof TypeError)) { form.removeAttribute("data-fragment"); return form.submit(); }   // an answer that is no page
    offline(() => send(form, body));
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-quote]")) return;                      // scanner.js asks the price
  if (form.dataset.busy) return event.preventDefault();          // a double click is one click
  if (!form.matches("[data-fragment]")) { form.dataset.busy = "1"; setTimeout(() => delete form.dataset.busy, 3000); return; }
  event.preventDefault();
  send(form, new FormData(form));
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
