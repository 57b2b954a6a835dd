// The search field of the shop answers while one types.
import { suggest } from "./suggest.js";

document.querySelectorAll("[data-suggest]").forEach(suggest);
