import init from "./broadside_client_wasm.js";

init().catch((reason) => {
  console.error(`could not start: ${reason}`);
  const note = document.getElementById("loading");
  note.textContent = "Broadside could not start: this browser needs WebAssembly and WebGL 2. Update it, or try another.";
  note.classList.add("failed");
});
