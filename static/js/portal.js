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
    } else if (!adds) goTo("#toast button", "#ean", "h1");
    if (open) location.replace("#panier");
  } catch (error) {
    delete form.dataset.busy;
    form.removeAttribute("aria-busy");
    if (!(error instanceof TypeError)) { form.removeAttribute("data-fragment"); return form.submit(); }   // an answer that is no page
    offline(() => send(form, body));
  }
}

// The cursor goes to the first of these parts that is there; never to another game's bin.
function goTo(...parts) {
  const part = parts.map((one) => document.querySelector(one)).find(Boolean);
  if (!part) return;
  if (part.tabIndex < 0) part.tabIndex = -1;
  part.focus({ preventScroll: true });
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

// What the answers chosen so far would pay.
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-live-total]");
  if (!form) return;
  const chosen = [...form.querySelectorAll("input[type=radio]:checked")];
  const back = chosen.some((one) => one.value === "to_return") && form.querySelector("#relay")?.value;
  const bought = chosen.reduce((sum, one) => sum + Number(one.dataset.cents), Number(form.dataset.liveTotal)), fee = Number(form.dataset.fee);
  const cents = back && bought >= fee ? bought - fee : bought;
  form.querySelector("output").textContent = new Intl.NumberFormat("fr-FR", { style: "currency", currency: "EUR" }).format(cents / 100);
});

// An IBAN is read in groups of four, and its check digits tell a slip at once.
document.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.matches("[data-iban]")) return;
  const bare = field.value.toUpperCase().replace(/[^0-9A-Z]/g, "");
  if (field.selectionStart === field.value.length) field.value = bare.replace(/(.{4})(?=.)/g, "$1 ");
  const said = document.getElementById("iban-check"), right = bare.length >= 15 && rest97(bare) === 1;
  said.textContent = bare.length < 15 ? "" : right ? said.dataset.right : bare.length >= (bare.startsWith("FR") ? 27 : 34) ? said.dataset.wrong : "";
  said.className = "small " + (right ? "good" : "wrong");
});
function rest97(iban) {
  const digits = [...iban.slice(4) + iban.slice(0, 4)].map((c) => parseInt(c, 36)).join("");
  return [...digits].reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0);
}

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });   // back button: never an old cart
document.querySelector("[aria-invalid=true]")?.focus();
settle();
