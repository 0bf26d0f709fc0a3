// Starts the game, or at the link of a recorded match the larger program that can also show those. boot.js reports what goes wrong.
if (window.broadside?.load) {
  const program = location.href.startsWith(`${window.broadside.base}replay/`) ? "replay" : "game";
  // boot.js has already shown the failure and written it to the console.
  window.broadside.load(program, "@build@", "start.js").catch(() => {});
} else {
  const note = document.getElementById("loading");
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Reload";
  again.addEventListener("click", () => location.reload());
  note.className = "failed";
  note.replaceChildren("boot.js, a part of this page, did not load or is not the right file. Reload the page. ", again);
}
