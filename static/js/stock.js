// Stock edited in place: Tab or Enter saves and goes on; what was there before is one click away.
const token = document.querySelector("meta[name=csrf]").content;
const fields = () => [...document.querySelectorAll("[data-adjust]")];
let toast;

function say(words, undo) {
  toast?.remove();
  toast = document.createElement("div");
  toast.className = "toast";
  toast.setAttribute("role", "status");
  toast.append(words);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = document.body.dataset.wordUndo;
    const shown = toast;
    button.addEventListener("click", () => undo(shown));
    toast.append(button);
  }
  document.body.firstElementChild.append(toast);
  setTimeout((one) => one.remove(), 8000, toast);
}

// Sentences come through the catalogue (templates/admin/base.html).
const words = { offline: document.body.dataset.wordOffline, away: document.body.dataset.wordAway };

async function save(field, value, undone = null) {
  const before = field.dataset.was;
  if (value === before) return;
  field.dataset.was = value;                       // optimistic: the next field is already being typed in
  const body = new URLSearchParams({ csrf_token: token, [field.name]: value, was: before });
  try {
    const answer = await fetch(field.dataset.adjust, { method: "POST", body, headers: { "X-Fragment": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") throw new Error(words.away);   // signed out, or no longer allowed: nothing was written
    if (!answer.ok) throw new Error(new DOMParser().parseFromString(await answer.text(), "text/html").body.textContent.trim());
    const said = await answer.json(), kept = (row) => String(row[field.name] ?? "");   // « 007 » is kept as 7, a place without its double spaces
    if (field.value.trim() === value) field.value = kept(said.after);
    field.dataset.was = kept(said.after);
    field.classList.remove("field-bad");
    field.removeAttribute("aria-invalid");
    const title = field.closest("tr").querySelector("a")?.textContent.trim() ?? "";
    if (undone) undone.remove();                   // only the one clicked: another field may have spoken since
    else say(`${title} : ${before || "–"} → ${kept(said.after) || "–"}`, (clicked) => { field.value = before; save(field, before, clicked); });
  } catch (error) {
    field.dataset.was = before;
    field.classList.add("field-bad");
    field.setAttribute("aria-invalid", "true");
    say(error instanceof TypeError ? words.offline : error.message);
  }
}

for (const field of fields()) {
  field.dataset.was = field.value;
  field.addEventListener("focus", () => field.select());
  field.addEventListener("change", () => save(field, field.value.trim()));
  field.addEventListener("keydown", (event) => {
    const step = { Enter: 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { field.value = field.dataset.was; return; }
    if (!step) return;
    event.preventDefault();
    save(field, field.value.trim());
    const column = fields().filter((one) => one.name === field.name);
    column[column.indexOf(field) + step]?.focus();
  });
}
