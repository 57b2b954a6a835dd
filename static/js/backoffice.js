// Keys, rows one can click anywhere, selections, pages that refresh while work goes on.
import { keep, leaves } from "./kept.js";
import { inField, listen } from "./scans.js";
import { suggest } from "./suggest.js";

const typing = () => inField(document.activeElement);
const rows = () => [...document.querySelectorAll("[data-lines] tbody tr, .rows tbody tr")];
const waits = document.querySelector("[data-scan]");
let at = -1;

function focusLine(step) {
  const all = rows();
  if (!all.length) return;
  all[at]?.classList.remove("focus", "sel");
  at = Math.max(0, Math.min(all.length - 1, at + step));
  all[at].classList.add("focus", "sel");
  all[at].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") { event.preventDefault(); document.getElementById("g")?.focus(); return; }
  if (event.key === "Escape" && typing()) document.activeElement.blur();
  else if (event.key === "/" && !typing() && !document.querySelector("dialog[open]")) {      // before the field gets it
    event.preventDefault();
    (document.getElementById("s") || document.getElementById("g"))?.focus();
  }
});

document.querySelectorAll("[data-suggest]").forEach(suggest);

function command(key) {
  if (typing()) return;
  if (key === "?") document.getElementById("help")?.showModal();
  else if (key === "j") focusLine(1);
  else if (key === "k") focusLine(-1);
  else if (key === "o" && rows()[at]?.querySelector("td.main a")) rows()[at].querySelector("td.main a").click();
  else if (key === "x" && rows()[at]?.querySelector(".action_check")) rows()[at].querySelector(".action_check").click();
  else if (key === "r") {
    const form = rows()[at]?.querySelector(".take-out"), list = form?.querySelector("details");
    if (list) { list.open = true; list.querySelector("[name=reason]").focus(); } else form?.requestSubmit();
  } else document.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`)?.click();
}

// A code scanned where nobody types goes to the field that waits for one, else opens what it names.
function scanned(code) {
  if (/^CPT/i.test(code)) return;                  // a command of the bench, which is another page
  if (waits) { waits.value = code; return waits.form.requestSubmit(); }
  location.href = "/gestion/recherche/?q=" + encodeURIComponent(code);
}
listen({ scan: scanned, key: command, harmless: "jk" });

// A list says when rows came since it was shown; nothing moves under the mouse.
const news = document.querySelector("[data-news]");
async function askNews(after) {
  const address = new URL(news.dataset.news, location.href);
  if (after !== undefined) address.searchParams.set("apres", after);
  const answer = await fetch(address, { headers: { "X-Refresh": "1" } });
  return answer.ok && !answer.redirected ? answer.json() : {};
}
if (news) askNews().then(({ newest }) => setInterval(async () => {
  if (document.hidden || newest === undefined) return;
  try {
    const { count = 0 } = await askNews(newest);
    news.querySelector("[data-count]").textContent = count;
    news.hidden = !count;
  } catch { /* no network: the next time */ }
}, Number(news.dataset.every)), () => {});

// The menu stays folded as one left it.
for (const chapter of document.querySelectorAll(".bo-chapter")) {
  const key = "menu:" + chapter.dataset.chapter, kept = localStorage.getItem(key);
  if (kept && !chapter.querySelector("[aria-current]")) chapter.open = kept === "open";
  chapter.addEventListener("toggle", () => localStorage.setItem(key, chapter.open ? "open" : "folded"));
}

document.addEventListener("submit", (event) => {
  if (event.target.dataset.busy) return event.preventDefault();      // a double click is one click
  event.target.dataset.busy = "1";
  setTimeout(() => delete event.target.dataset.busy, 3000);
});

// What can be undone for some seconds says so, and stops saying it.
const leaving = document.querySelector("[data-leaves]");
if (leaving && Number(leaving.dataset.leaves)) setTimeout(() => leaving.querySelectorAll("form, [data-leaving]").forEach((part) => part.remove()), Number(leaving.dataset.leaves) * 1000);

// The new prices typed in the column of prices, added up as they are typed.
document.addEventListener("input", (event) => {
  const form = event.target.form?.matches("[data-adds-up]") && event.target.form;
  if (!form) return;
  const cents = [...document.querySelectorAll(form.dataset.addsUp)].reduce((sum, one) => {
    const here = Math.round(Number(one.value.replace(/[\s€]/g, "").replace(",", ".")) * 100);
    one.setAttribute("aria-invalid", !Number.isFinite(here));
    return sum + here;
  }, 0);
  form.querySelector("output").textContent = Number.isFinite(cents) ? new Intl.NumberFormat("fr-FR", { style: "currency", currency: "EUR" }).format(cents / 100) : "–";
});

// Prices typed for a second chance outlive a line that is taken out meanwhile: they are kept until they are sent.
const chance = document.getElementById("chance"), prices = () => [...document.querySelectorAll(chance.dataset.addsUp)];
if (chance) {
  const key = "chance:" + location.pathname.match(/\d+/)?.[0], typed = JSON.parse(sessionStorage.getItem(key) || "{}");
  const left = prices().filter((one) => one.name in typed);
  left.forEach((one) => { one.value = typed[one.name]; });
  if (left.length) { chance.closest("details").open = true; left[0].dispatchEvent(new Event("input", { bubbles: true })); }
  else prices()[0]?.dispatchEvent(new Event("input", { bubbles: true }));
  document.addEventListener("input", (event) => { if (prices().includes(event.target)) sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(prices().filter((one) => one.value !== one.defaultValue).map((one) => [one.name, one.value])))); });
  chance.addEventListener("submit", () => sessionStorage.removeItem(key));
}

document.addEventListener("change", (event) => {
  const table = event.target.closest(".rows");
  if (!table) return;
  if (event.target.matches(".action_check_all")) table.querySelectorAll(".action_check").forEach((box) => { box.checked = event.target.checked; });
  const chosen = table.querySelector("[data-chosen]");
  if (chosen) chosen.textContent = table.querySelectorAll(".action_check:checked").length;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) return window.print();
  const opens = event.target.closest("[data-opens]");
  if (opens) {
    event.preventDefault();                        // the jump of the link would take the cursor away from the field
    const part = document.getElementById(opens.dataset.opens);
    part.open = true;
    part.scrollIntoView({ block: "nearest" });
    part.querySelector("textarea, input:not([type=hidden])")?.focus();
  }
  const cell = event.target.closest(".rows td:not(.off, .act)");
  if (cell && !event.target.closest("a, button, input, label, summary")) cell.parentElement.querySelector("a[href]")?.click();
});

// A field that waits for a scanner: what is in it is chosen, so that the next scan takes its place; and digits typed nowhere go there.
if (waits) {
  if (waits.value === waits.defaultValue) { waits.focus(); waits.select(); }   // a quick scanner may have begun already
  document.addEventListener("keydown", (event) => {
    if (typing() || event.ctrlKey || event.metaKey || event.altKey || !/^\d$/.test(event.key) || document.querySelector("dialog[open]")) return;
    waits.focus();
    waits.select();
  }, true);
}
document.querySelector(".bo-item[aria-current]")?.scrollIntoView({ block: "nearest" });

async function refresh(part) {
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href, { headers: { "X-Refresh": "1" } })).text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (!fresh) return;
    if (!fresh.dataset.refresh) return location.reload();
    part.replaceWith(fresh);
    setTimeout(refresh, (Number(fresh.dataset.refresh) || 1.5) * 1000, fresh);
  } catch { setTimeout(refresh, 5000, part); }
}
const live = document.querySelector("[data-refresh]");
if (live) setTimeout(refresh, (Number(live.dataset.refresh) || 1) * 1000, live);

for (const zone of document.querySelectorAll("[data-drop] .drop")) {
  for (const name of ["dragover", "dragleave", "drop"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.toggle("over", name === "dragover"); });
  zone.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) zone.querySelector("input").files = event.dataTransfer.files; });
}

const target = location.hash.startsWith("#l") ? rows().findIndex((row) => "#" + row.id === location.hash) : -1;
if (target >= 0) { at = target - 1; focusLine(1); }

// What somebody signed in saw leaves the screen with the session: after the idle minutes, and in every tab once one of them signed out.
const leave = () => {
  keep();
  leaves();                                        // nobody is there to be asked
  location.replace("/gestion/login/?quitte=1&next=" + encodeURIComponent(location.pathname + location.search));
};
const tabs = new BroadcastChannel("comptoir-session");
if ("signedOut" in document.body.dataset) tabs.postMessage("out");
const idle = Number(document.body.dataset.idle) * 60_000;
if (idle) {
  const key = "comptoir-click", click = () => localStorage.setItem(key, Date.now());
  click();
  for (const sign of ["click", "keydown"]) document.addEventListener(sign, click);
  tabs.addEventListener("message", leave);
  setInterval(() => { if (Date.now() - Number(localStorage.getItem(key)) > idle) leave(); }, 5000);
}
