// Keyboard: g and a letter opens a page, j and k walk over rows, ? says all of it. Theme: kept in a cookie.
"use strict";

(() => {
  const THEMES = ["auto", "dark", "light"];
  let afterG = false;

  const switchTheme = () => {
    const root = document.documentElement;
    const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    root.dataset.theme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
    document.dispatchEvent(new CustomEvent("alphapulse:theme"));
  };

  const help = () => document.getElementById("keys").showModal();

  const walk = (step) => {
    const rows = [...document.querySelectorAll("#live tbody a[data-row]")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(at + step, 0), rows.length - 1)].focus();
  };

  const acts = {
    t: switchTheme,
    "?": help,
    p: () => window.alphapulse.togglePause(),
    j: () => walk(1),
    k: () => walk(-1),
    "/": () => document.querySelector(".filters input, .filters select")?.focus(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (afterG) {
      afterG = false;
      document.querySelector(`.pages a[data-key="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    if (event.key === "g") {
      afterG = true;
      setTimeout(() => { afterG = false; }, 1500);
    } else if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-switch]")) switchTheme();
    if (event.target.closest("[data-keys-help]")) help();
  });
})();
