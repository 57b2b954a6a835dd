// The search field of the shop answers while one types.
import { suggest } from "./suggest.js";

document.querySelectorAll("[data-suggest]").forEach(suggest);
if (matchMedia("(min-width: 960px)").matches) document.querySelectorAll("[data-open-at-desk]").forEach((one) => { one.open = true; });
