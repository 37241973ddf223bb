// The script of a page: shows in the title what was said, or what went wrong.
import { said } from "./page.js";

said().then((text) => (document.title = text), (error) => (document.title = String(error)));
