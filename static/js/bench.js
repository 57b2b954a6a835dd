// The bench: a USB scanner types like a very fast hand. A burst of six characters or more ended by Enter is a scan,
// wherever the focus is (but never inside a text area); a single key is a command.
import { forget, keep, kept } from "./kept.js";
import { BURST, GAP, inField } from "./scans.js";

const bench = document.getElementById("bench");
const COMMANDS = { CPTENVOYER: "enter", CPTREFUSER: "x", CPTCONTREOFFRE: "c", CPTMANQUANT: "m", CPTANNULER: "u", CPTPHOTO: " ", CPTFIN: "enter", CPTBOITE: "b", CPTNOTICE: "n", CPTARTICLE: "a" };
const ORDER = ["like_new", "very_good", "good", "fair", "poor", "missing"];
let part = "article", touched = new Set(), busy = false, waitingCode = "", camera = null, audio = null;

const sheet = () => document.getElementById("sheet");
const words = (cents) => (cents / 100).toFixed(2).replace(".", ",");

function tone(kind) {
  try {
    audio ||= new AudioContext();
    const note = audio.createOscillator(), volume = audio.createGain();
    note.frequency.value = { ok: 1240, warn: 520, bad: 170 }[kind] || 800;
    volume.gain.value = 0.08;
    note.connect(volume).connect(audio.destination);
    note.start();
    note.stop(audio.currentTime + (kind === "ok" ? 0.07 : 0.25));
  } catch { /* no sound here */ }
}

// An article begun and left comes back as it was, after signing in again too.
const saved = kept(), drafts = new Map(saved?.waits && saved.path === location.pathname && saved.drafts || []);
if (saved) forget();

function keepDraft() {
  const form = sheet();
  if (form) drafts.set(form.dataset.line, ["article", "box", "manual", "comment"].map((name) => [name, new FormData(form).get(name) || ""]));
}

function takeDraft() {
  const form = sheet(), draft = form && drafts.has(form.dataset.line) && new Map(drafts.get(form.dataset.line));
  if (!draft || form.querySelector(".grade :checked")) return;
  for (const name of ["article", "box", "manual"]) { const box = form.querySelector(`input[name="${name}"][value="${draft.get(name)}"]`); if (box) box.checked = true; }
  form.elements.comment.value = draft.get("comment") || "";
}

function show(html) {
  keepDraft();
  bench.innerHTML = html;
  takeDraft();
  part = "article";
  touched = new Set();
  arrive();
}

function arrive() {
  const echo = bench?.querySelector("[data-tone]");
  if (echo) tone(echo.dataset.tone);
  if (echo?.dataset.tone === "bad") echo.scrollIntoView({ block: "nearest" });   // a refusal is read, wherever the page stood
  const form = sheet();
  if (form) {
    form.querySelectorAll(".grade").forEach((set) => set.querySelector(":checked") && touched.add(set.dataset.grade));
    weigh();
    bench.querySelector("details[open] input:not([type=hidden])")?.focus();
    mark();
  } else if (!document.activeElement || document.activeElement === document.body) {
    document.getElementById("code")?.focus();
  }
  look();
}

async function send(url, options = {}) {
  if (busy) return;
  busy = true;
  bench.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { ...options, headers: { "X-Fragment": "bench" } });
    if (new URL(answer.url).pathname.startsWith("/gestion/login/")) {      // signed out: back here afterwards, with what was begun
      keepDraft();
      keep(location.pathname, { drafts: [...drafts], forms: [] });
      location.href = "/gestion/login/?next=" + encodeURIComponent(location.pathname);
      return;
    }
    if (answer.redirected && !answer.url.includes("?") && !answer.url.endsWith(bench.dataset.number)) { location.href = answer.url; return; }
    const html = await answer.text();
    if (!answer.ok && answer.status !== 422) { location.reload(); return; }
    show(html);
  } catch {
    tone("bad");
    const line = document.createElement("p");
    line.className = "echo echo-bad";
    line.textContent = document.body.dataset.wordSilent;
    bench.firstElementChild?.prepend(line);
  } finally {
    busy = false;
    bench.removeAttribute("aria-busy");
    if (waitingCode) { const code = waitingCode; waitingCode = ""; scanned(code); }
  }
}

function scanned(code) {
  code = code.trim();
  const upper = code.toUpperCase();
  if (busy) { waitingCode = code; return; }
  if (upper in COMMANDS) return command(COMMANDS[upper]);
  if (/^CPTETAT[0-5]$/.test(upper)) return command(upper.at(-1));
  if (upper.startsWith("CDE")) {
    const form = document.getElementById("open-parcel");
    if (form) { form.elements.code.value = upper; form.submit(); return; }
    if (upper === bench?.dataset.number) return;
    const token = document.querySelector("[name=csrf_token]").value, made = Object.assign(document.createElement("form"), { method: "post", action: "/gestion/reception/ouvrir" });
    for (const [name, value] of [["csrf_token", token], ["code", upper]]) made.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    document.body.append(made);
    made.submit();
    return;
  }
  if (bench) send(`${bench.dataset.url}?code=${encodeURIComponent(code)}`);
}

// ── grading ──

function mark() {
  sheet()?.querySelectorAll(".grade").forEach((set) => set.classList.toggle("at", set.dataset.grade === part));
}

function grade(key) {
  const form = sheet();
  if (!form) return;
  const value = key === "0" ? "missing" : ORDER[Number(key) - 1];
  if (part === "article" && value === "missing") return command("m");
  touched.add(part);
  for (const name of part === "article" ? ["article", "box", "manual"] : [part]) {
    if (name !== part && touched.has(name)) continue;      // box and manual follow the article until they are graded themselves
    const box = form.querySelector(`input[name="${name}"][value="${value}"]`);
    if (box && !box.disabled) box.checked = true;
  }
  weigh();
}

function weigh() {
  const form = sheet();
  if (!form) return;
  const chosen = ["article", "box", "manual"].map((name) => form.querySelector(`input[name="${name}"]:checked`)).filter(Boolean);
  const worst = chosen.reduce((most, box) => (ORDER.indexOf(box.value) > ORDER.indexOf(most?.value) ? box : most), null);
  const rank = worst ? ORDER.indexOf(worst.value) : -1;
  const label = (value) => form.querySelector(`input[value="${value}"] + span`)?.textContent;
  form.querySelector("[data-condition]").textContent = rank < 0 ? "–" : rank < 3 ? label(ORDER[rank]) : "Acceptable";
  const percent = rank >= 3 ? Number(form.dataset.acceptable) : rank === 2 ? Number(form.dataset.good) : 100;
  const price = Math.floor((Number(form.dataset.price) * percent * 2 + 100) / 200), hint = form.querySelector("[data-proposed]");
  hint.hidden = percent === 100;
  hint.querySelector("b").textContent = words(price) + " €";
  const field = form.elements.price;
  if (field && (!field.value || field.dataset.auto)) { field.dataset.auto = "1"; field.value = percent < 100 || Number(form.dataset.price) && form.querySelector("[data-send]") === null ? words(price) : ""; }
}

function command(key) {
  const form = sheet();
  if (/^[0-5]$/.test(key)) return grade(key);
  if (key === "u") return bench?.querySelector("[data-undo-button]")?.click();
  if (key === "escape") { if (bench && !document.querySelector("details[open] :focus")) send(bench.dataset.url); else document.activeElement.blur(); return; }
  if (key === "enter") {
    const open = form?.querySelector("details[open] button[formaction]");
    if (open) return open.click();
    if (form) return form.querySelector("[data-send]")?.click();
    return (document.querySelector("#end button") || document.querySelector("#tell"))?.click();
  }
  if (!form) return;
  if ("abn".includes(key)) { part = { a: "article", b: "box", n: "manual" }[key]; mark(); }
  else if (key === "x") {
    if (document.getElementById("refuse-part").open) return form.querySelector("[data-refuse-send]").click();
    open("refuse-part", form.elements.motive);
  } else if (key === "c") open("counter-part", form.elements.counter_motive);
  else if (key === "m") form.querySelector("[data-miss]")?.click();
  else if (key === " ") shoot();
}

function open(id, motive) {
  const other = id === "refuse-part" ? "counter-part" : "refuse-part";
  document.getElementById(other).open = false;
  document.getElementById(id).open = true;
  if (!motive.value) motive.value = guess();
  motive.focus();
  motive.select();
}

// A reason to begin with, from the grades: with a scanner alone « Refuser » twice is enough.
function guess() {
  const found = ["article", "box", "manual"].map((name) => sheet().querySelector(`input[name="${name}"]:checked`)).filter((box) => box && ORDER.indexOf(box.value) >= 3);
  return found.map((box) => `${box.closest("fieldset").querySelector("legend").textContent} : ${box.nextElementSibling.textContent.toLowerCase()}`).join(", ") || "";
}

// ── keys ──

let burst = "", last = 0, single = 0, before = "", told = 0;   // told: how many keys of the burst were already done as commands
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const field = event.target, area = field.tagName === "TEXTAREA";
  const typing = inField(field);
  if (area) { if (event.key === "Escape") field.blur(); return; }
  const now = event.timeStamp, fast = now - last < GAP;   // when the key was pressed, not when we got to it
  last = now;
  if (event.key === "Enter") {
    clearTimeout(single);
    const code = burst, commands = burst.slice(told);
    burst = "";
    if (code.length >= BURST && fast) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!typing) return scanned(code);
      const whole = field.matches(".scan-field") ? field.value.trim() : code;
      field.value = field.matches(".scan-field") ? "" : before;      // what the scanner typed there goes
      return scanned(whole);
    }
    const panel = typing && field.closest("#sheet details");
    if (typing && field.form?.id === "sheet") {
      event.preventDefault();                // never the form's first button: that one buys
      const button = panel?.querySelector("button[formaction]");
      if (button) return button.click();
      const isCode = /\d{8}\s*$/.test(field.value);      // a scanner too slow to be known typed here: nothing is bought on its Enter
      if (field.tagName === "INPUT" && !isCode && field.form.querySelector(".grade :checked")) return field.form.querySelector("[data-send]")?.click();
      return field.blur();
    }
    if (typing || (field.matches("a, button, summary"))) return;
    event.preventDefault();
    keys(commands);                          // a quick hand: the grade just typed counts before « Envoyer »
    return command("enter");
  }
  if (event.key === "Escape") { event.stopImmediatePropagation(); if (typing) return field.blur(); return command("escape"); }
  if (event.key.length !== 1) return;
  if (!fast || !burst) before = field.value ?? "";
  clearTimeout(single);
  if (!fast && burst && !typing) keys(burst.slice(told));
  if (!fast || !burst) { burst = ""; told = 0; }
  burst += event.key;
  if (typing && burst.toLowerCase() === "u" && field.matches(".scan-field") && !field.value && bench?.querySelector("[data-undo-button]"))
    single = setTimeout(() => { if (field.value.toLowerCase() === "u") { field.value = burst = ""; command("u"); } }, GAP + 5);   // the cursor stands there: « U » alone still undoes
  if (typing) return;
  if (event.key === " " && field.matches("button, summary, a")) return;
  if (bench || document.getElementById("open-parcel")) { event.preventDefault(); event.stopImmediatePropagation(); }
  single = setTimeout(() => { const late = burst.slice(told); told = burst.length; keys(late); },
    GAP + 5 + Math.max(0, performance.now() - now));   // a key handed on late: the next may be as late, and the burst is kept for it
}, true);

function keys(code) {
  if (code.length < BURST) for (const key of code.toLowerCase()) command(key);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id === "look") { event.preventDefault(); return form.elements.code.value.trim() ? scanned(form.elements.code.value) : command("enter"); }
  if (form.matches("[data-shots]")) { event.preventDefault(); return pictures(form, new FormData(form)); }
  if (!form.matches("[data-bench]") || !bench) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const button = event.submitter;
  const body = new FormData(form, button);
  send(button?.getAttribute("formaction") || form.action, { method: "POST", body });
}, true);

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-look]");
  if (link && bench) { event.preventDefault(); scanned(link.dataset.look); }
  if (event.target.closest("[data-shoot]")) shoot();
});

document.addEventListener("change", (event) => {
  const set = event.target.closest(".grade");
  if (set) { touched.add(set.dataset.grade); part = set.dataset.grade; mark(); weigh(); event.target.blur(); }
  if (event.target.id === "photo-file" && event.target.files.length) pictures(event.target.form, new FormData(event.target.form));
});
document.addEventListener("input", (event) => { if (event.target.name === "price") delete event.target.dataset.auto; });

// ── photos ──

let showing = Promise.resolve();   // the camera's picture on its way to the screen

function look() {
  const video = bench?.querySelector("video.shot-live");
  if (video && navigator.mediaDevices?.getUserMedia) showing = showing.then(() => film(video));
}

async function film(video) {
  try {
    camera ||= await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "environment" } });
    video.srcObject = camera;
    await video.play();
    video.hidden = false;
  } catch (error) { if (error.name !== "AbortError") camera = null; }   // aborted: the next article replaced this picture
}

async function shoot() {
  await showing;   // a photo asked while the camera opens is taken as soon as it is open
  const form = document.getElementById("shoot"), video = bench?.querySelector("video.shot-live");
  if (!form) return tone("bad");
  if (!camera || !video.videoWidth) return document.getElementById("photo-file").click();
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const body = new FormData(form);
  body.set("photo", await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85)), "photo.jpg");
  tone("ok");
  pictures(form, body);
}

async function pictures(form, body) {
  const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Fragment": "shots" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = page.getElementById("shots");
  if (fresh) { document.getElementById("shots").replaceWith(fresh); return look(); }
  tone("bad");                               // refused: the sentence is shown, what was graded stays
  const why = (page.querySelector("[role=alert], main h1") || page.body).textContent.trim();
  document.getElementById("shots").querySelector(".echo")?.remove();
  document.getElementById("shots").prepend(Object.assign(document.createElement("p"), { className: "echo echo-bad", role: "alert", textContent: why || document.body.dataset.wordSilent }));
  const file = document.getElementById("photo-file");
  if (file) file.value = "";
}

addEventListener("pagehide", () => camera?.getTracks().forEach((track) => track.stop()));
arrive();
