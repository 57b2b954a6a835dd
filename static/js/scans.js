// What a scan is, for every page: a USB scanner types like a very fast hand, and ends with Enter.
export const BURST = 6;   // at least so many characters
export const GAP = 90;    // at most so many milliseconds from one to the next

export const inField = (node) => /^(TEXTAREA|SELECT)$/.test(node?.tagName) || (node?.tagName === "INPUT" && !/^(radio|checkbox|file|button|submit)$/.test(node.type));

// Keys pressed where nobody types: `scan` gets the whole code, `key` one letter that stood alone. A letter waits until it is
// known to be no beginning of a scan, so that a label beginning with A accepts nothing; `harmless` ones, with
// which no code begins, are done at once.
export function listen({ scan, key, harmless }) {
  let burst = "", last = 0, alone = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (inField(event.target)) { burst = ""; clearTimeout(alone); return; }
    const fast = event.timeStamp - last < GAP;
    last = event.timeStamp;
    clearTimeout(alone);
    if (event.key === "Enter") {
      const code = burst;
      burst = "";
      if (fast && code.length >= BURST) { event.preventDefault(); scan(code); }
      return;
    }
    if (event.key.length !== 1) { if (event.key !== "Shift") burst = ""; return; }
    burst = fast ? burst + event.key : event.key;
    if (burst.length === 1 && harmless.includes(burst.toLowerCase())) { key(burst.toLowerCase()); burst = ""; }
    else if (burst.length === 1) alone = setTimeout(key, GAP + 5, event.key.toLowerCase());
  });
}
