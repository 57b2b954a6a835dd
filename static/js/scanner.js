// The camera: BarcodeDetector where it exists, else pictures read by the server; two agreeing reads make a barcode.
import { csrf, load, offline, online, place } from "./fragments.js";

const viewer = document.getElementById("viewer"), video = viewer.querySelector("video"), aim = document.getElementById("aim");
const form = document.querySelector("[data-quote]"), field = document.getElementById("ean"), auto = document.getElementById("auto");
let stream = null, last = "", seen = new Map(), busy = false, sound;

let asked = 0;
async function price(ean) {
  const mine = ++asked, answer = await load(`/?ean=${encodeURIComponent(ean)}`);
  online();
  if (!answer || mine !== asked) return;           // another game was asked for meanwhile: its price counts
  place(answer.html);
  history.replaceState(null, "", `/?ean=${encodeURIComponent(ean)}`);
  if (viewer.hidden) document.getElementById("ticket").scrollIntoView({ block: "nearest" });   // the camera is pinned, its ticket in sight
  else scrollTo(0, 0);
  if (auto.checked) document.getElementById("sell-it")?.form.requestSubmit();
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = field.value, ask = async () => {
    try {
      await price(typed);
      if (field.value === typed) field.select();   // what was typed meanwhile stays
    } catch (error) { if (error instanceof TypeError) offline(ask); else form.submit(); }
  };
  await ask();
});

document.getElementById("camera").addEventListener("click", async () => {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  } catch {
    const said = document.getElementById("camera-no");
    said.textContent = viewer.dataset.refused; said.hidden = false; viewer.hidden = true;
    document.querySelector(".by-photo").open = true;
    field.focus();
    return;
  }
  video.hidden = false; viewer.hidden = false; video.srcObject = stream;
  await video.play();
  const track = stream.getVideoTracks()[0], torch = document.getElementById("torch");
  if (track.getCapabilities?.().torch) { torch.hidden = false; torch.onclick = () => { torch.on = !torch.on; track.applyConstraints({ advanced: [{ torch: torch.on }] }); }; }
  sound ??= new AudioContext();
  watch();
});
document.getElementById("stop").addEventListener("click", stop);
addEventListener("pagehide", stop);
function stop() { stream?.getTracks().forEach((track) => track.stop()); stream = null; viewer.hidden = true; }
function aimed(words) { aim.textContent = words; }

async function watch() {
  const detector = "BarcodeDetector" in window ? new BarcodeDetector({ formats: ["ean_13", "ean_8", "upc_a", "upc_e"] }) : null;
  const canvas = document.createElement("canvas");
  while (stream) {
    await new Promise((go) => setTimeout(go, detector ? 90 : 250));       // at most 4 pictures a second to the server
    if (document.hidden || !video.videoWidth || busy) continue;
    try {
      const read = detector ? (await detector.detect(video))[0]?.rawValue : await ask(canvas);
      if (read) agree(read); else last = "";
    } catch { /* one picture lost: the next one follows */ }
  }
}
async function ask(canvas) {
  const width = Math.round(video.videoWidth * .72), height = Math.round(video.videoHeight * .5);   // cropped, never shrunk
  canvas.width = width; canvas.height = height;
  canvas.getContext("2d").drawImage(video, (video.videoWidth - width) / 2, (video.videoHeight - height) / 2, width, height, 0, 0, width, height);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", .7));
  const answer = await fetch(viewer.dataset.read, { method: "POST", body: picture, headers: { "Content-Type": "image/jpeg", "X-CSRFToken": csrf() } });
  const { ean, error } = await answer.json();
  if (error) aimed(error);
  return ean;
}
async function agree(ean) {
  if (ean !== last) { last = ean; return; }
  if (performance.now() - (seen.get(ean) ?? -1e9) < 2500) { seen.set(ean, performance.now()); return; }   // the same game is not read twice
  seen.set(ean, performance.now());
  busy = true;
  viewer.classList.add("seen"); navigator.vibrate?.(60); beep(); aimed(ean);
  try { await price(ean); } catch (error) { if (error instanceof TypeError) offline(() => price(ean)); } finally { busy = false; setTimeout(() => { viewer.classList.remove("seen"); aimed(viewer.dataset.aim); }, 900); }
}
function beep() {
  const tone = sound.createOscillator(), loud = sound.createGain();
  tone.frequency.value = 1400; loud.gain.value = .08;
  tone.connect(loud).connect(sound.destination); tone.start(); tone.stop(sound.currentTime + .08);
}
