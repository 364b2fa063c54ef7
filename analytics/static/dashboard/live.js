// Open pages renew themselves by htmx; what a reader has opened, typed into or zoomed stays as it is.
"use strict";

(() => {
  let paused = false;
  const isPolling = (event) => event.detail.elt?.id === "live" && event.detail.requestConfig?.verb === "get";
  const isTyping = () => document.activeElement?.matches("#live input, #live select, #live textarea");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isPolling(event) && (paused || document.hidden || isTyping())) event.preventDefault();
  });

  // A page that cannot be renewed must not look alive.
  const mark = (text) => {
    const sign = document.getElementById("paused");
    if (!sign) return;
    sign.textContent = text;
    sign.hidden = !text;
  };
  document.addEventListener("htmx:sendError", () => mark("no connection"));
  document.addEventListener("htmx:responseError", () => mark("server error"));
  document.addEventListener("htmx:afterSettle", () => mark(paused ? "paused" : ""));

  if (window.Idiomorph) {
    const callbacks = window.Idiomorph.defaults.callbacks;
    callbacks.beforeNodeMorphed = (before) => !(before instanceof Element && before.matches(".canvas"));
    callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.matches("details, dialog"));
  }

  window.alphapulse = {
    togglePause() {
      paused = !paused;
      mark(paused ? "paused" : "");
    },
  };
})();
