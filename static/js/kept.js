// What was typed comes back. A form that is sent, or left when the session ends, is kept in this tab; when the next page
// is the one to sign in, it waits there, and the same person finds it again on its page. Never passwords, never files.
const NAME = "comptoir-typed", MINUTES = 60;
const who = document.body.dataset.who, here = () => location.pathname + location.search;
const forms = () => [...document.querySelectorAll("main form[method=post]")];
const worth = (field) => field.name && field.name !== "csrf_token" && !/^(password|file|submit|button)$/.test(field.type) && field.autocomplete !== "off";

const typed = (form) => [...form.elements].filter(worth).map((field) => [field.name, field.value, /^(radio|checkbox)$/.test(field.type) ? field.checked : null]);
const begun = new Map(forms().map((form) => [form, JSON.stringify(typed(form))]));
const changed = (form) => begun.has(form) && begun.get(form) !== JSON.stringify(typed(form));

export function keep(path, more = {}) {
  const all = forms().filter(changed).map((form) => ({ action: form.action, fields: typed(form) }));
  if (!who || !(all.length || more.drafts)) return;
  try { sessionStorage.setItem(NAME, JSON.stringify({ who, path: path || here(), at: Date.now(), forms: all, ...more })); } catch { /* no room: as before */ }
}

export function kept() {
  try { return JSON.parse(sessionStorage.getItem(NAME)); } catch { return null; }
}

export const forget = () => sessionStorage.removeItem(NAME);

function give(form, fields) {
  const left = [...form.elements].filter(worth);
  for (const [name, value, checked] of fields) {
    const at = left.findIndex((field) => field.name === name && (checked === null || field.value === value));
    if (at < 0) continue;
    const [field] = left.splice(at, 1);
    if (checked === null) field.value = value; else field.checked = checked;
  }
  const fold = form.closest("details");
  if (fold) fold.open = true;
}

let leaving = false;
export const leaves = () => { leaving = true; };
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  leaves();
  keep();
});
addEventListener("beforeunload", (event) => {
  if (!leaving && forms().some((form) => "keeps" in form.dataset && changed(form))) event.preventDefault();
});
addEventListener("pageshow", () => { leaving = false; });

// At the page to sign in, what was sent waits; on its own page it comes back; anywhere else it had arrived.
const found = kept();
if (found && Date.now() - found.at > MINUTES * 60_000) forget();
else if (found && !who) sessionStorage.setItem(NAME, JSON.stringify({ ...found, waits: true }));
else if (found && (!found.waits || found.who !== who)) forget();
else if (found && found.path === here()) {
  const all = forms(), at = found.forms.map(({ action }) => all.findIndex((form) => form.action === action));
  found.forms.forEach(({ fields }, n) => { if (at[n] >= 0) give(all[at[n]], fields); });
  if (at.some((n) => n >= 0)) {
    const line = Object.assign(document.createElement("p"), { className: "notice", textContent: document.body.dataset.wordKept });
    line.setAttribute("role", "status");
    document.querySelector("main").prepend(line);
  }
  if (!found.drafts) forget();
}
