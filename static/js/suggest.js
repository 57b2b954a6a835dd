// A field that answers while one types: a list under it, chosen with the arrows or the mouse. Enter on none of it searches as before.
const WAIT = 180;   // milliseconds after the last key

export function suggest(field) {
  let asked = 0, timer = 0, at = -1;
  const list = () => document.getElementById(field.getAttribute("aria-controls"));
  const options = () => [...list().querySelectorAll("[data-href]")];

  function close() {
    clearTimeout(timer);
    asked += 1;                                    // an answer under way comes too late
    at = -1;
    list().hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function point(step) {
    const all = options();
    if (!all.length) return;
    at = (at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length;
    all.forEach((one, number) => one.setAttribute("aria-selected", number === at));
    field.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  }

  async function ask() {
    const words = field.value.trim(), mine = (asked += 1);
    if (words.length < 2) return close();
    try {
      const answer = await fetch(field.dataset.suggest + "?q=" + encodeURIComponent(words), { headers: { "X-Refresh": "1" } });
      if (mine !== asked || !answer.ok || answer.redirected || document.activeElement !== field) return;
      list().outerHTML = await answer.text();
      at = -1;
      field.setAttribute("aria-expanded", String(!list().hidden));
    } catch { /* no network: Enter still searches */ }
  }

  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, WAIT); });
  field.addEventListener("keydown", (event) => {
    if (list().hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); point(event.key === "ArrowDown" ? 1 : -1); }
    else if (event.key === "Enter" && options()[at]) { event.preventDefault(); location.href = options()[at].dataset.href; }
    else if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
  });
  field.addEventListener("blur", () => setTimeout(close, 150));   // a click on the list comes first
  field.form.addEventListener("pointerdown", (event) => {
    const option = event.target.closest("[data-href]");
    if (option && event.button === 0) { event.preventDefault(); location.href = option.dataset.href; }
  });
}
