// Light, dark or as the system has it: kept for next time, the same in every tab.

const KEY = "posthaste-demo/theme";
const ORDER = ["system", "light", "dark"];

/** Makes `button` switch the theme; `changed` is called when the colours are new. */
export function makeTheme(button, changed) {
  const read = () => (ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system");
  const show = () => {
    const theme = read();
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    changed();
  };
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length]);
    show();
  });
  addEventListener("storage", ({ key }) => {
    if (key === KEY) show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}
