// Starts the game; what can go wrong on the way is told by boot.js.
if (window.broadside?.load) {
  // A failure has been shown and written to the console by then.
  window.broadside.load("broadside_client_wasm", "@build@", "start.js").catch(() => {});
} else {
  const note = document.getElementById("loading");
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Reload";
  again.addEventListener("click", () => location.reload());
  note.className = "failed";
  note.replaceChildren("boot.js, a part of this page, did not come or is not ours. Reload the page. ", again);
}
