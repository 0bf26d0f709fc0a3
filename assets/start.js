// Starts the game, or at the link of a recorded match the larger program that can also show those. boot.js reports what goes wrong.
if (window.broadside?.load) {
  const { base } = window.broadside;
  const path = location.href.startsWith(base) ? location.href.slice(base.length) : "";
  const program = path.startsWith("replay/") ? "replay" : "game";
  // boot.js has already shown the failure and written it to the console.
  window.broadside.load(program, "@build@", "start.js").catch(() => {});
  const embedded = /^embed\/(\d+)/.exec(path);
  if (embedded) {
    // In a frame of another site. The game itself is never framed.
    const play = document.createElement("a");
    play.id = "embed-play";
    play.href = `${base}?room=${embedded[1]}`;
    play.target = "_blank";
    play.rel = "noopener";
    window.broadside.language?.then(() => (play.textContent = window.broadside.say("play")));
    document.body.append(play);
  } else {
    // Only where browsers have it: on https and on this machine. Without it, everything works the same while the network does.
    navigator.serviceWorker?.register(`${base}sw.js`, { scope: base }).catch(() => {});
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-qr]");
    if (!button) return;
    import("./qr.js")
      .then((qr) => qr.toggle(button, document.getElementById(button.dataset.qr).value))
      .catch(() => button.setAttribute("disabled", ""));
  });
} else {
  const note = document.getElementById("loading");
  const again = document.createElement("button");
  again.type = "button";
  const texts = {
    de: ["Neu laden", "boot.js, ein Teil dieser Seite, wurde nicht geladen oder ist nicht die richtige Datei. Lade die Seite neu."],
    es: ["Recargar", "boot.js, una parte de esta página, no se cargó o no es el archivo correcto. Recarga la página."],
  };
  const english = ["Reload", "boot.js, a part of this page, did not load or is not the right file. Reload the page."];
  const [reload, why] = texts[navigator.language.slice(0, 2)] ?? english;
  again.textContent = reload;
  again.addEventListener("click", () => location.reload());
  note.className = "failed";
  note.replaceChildren(`${why} `, again);
}
