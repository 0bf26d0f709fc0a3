// Moves the touch controls: everything of the page that thumbs use lies open to be dragged, until the player is done. Places are kept as
// shares of the window, so that they fit whichever way a phone is held.
const { settings, say } = window.broadside;
const CONTROLS = "#sticks .stick, #sticks button";
// How near to the border a middle may come, as a share.
const BORDER = 0.06;

export const move = () => {
  if (document.getElementById("places")) return;
  const { classList } = document.body;
  const touch = classList.contains("touch");
  classList.add("places", "touch");
  const bar = document.createElement("div");
  bar.id = "places";
  bar.setAttribute("role", "dialog");
  bar.setAttribute("aria-label", say("set.places"));
  const text = document.createElement("p");
  text.textContent = say("set.places.how");
  const button = (key, act, look) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = look;
    made.textContent = say(key);
    made.addEventListener("click", act);
    return made;
  };
  let held = null;
  // Before anyone else sees it: what is dragged does not steer.
  const take = (event) => {
    if (bar.contains(event.target)) {
      // Where the page takes touches for the game, a browser may make no click of them.
      if (event.type === "pointerup" && event.pointerType === "touch") event.target.click();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const control = event.target.closest?.(CONTROLS);
    if (event.type === "pointerdown" && control) held = control.id;
    if (event.type === "pointermove" && held) {
      const share = (at, length) => Math.round(1000 * Math.min(Math.max(at / length, BORDER), 1 - BORDER)) / 1000;
      settings.set({ places: { ...settings.values.places, [held]: [share(event.clientX, innerWidth), share(event.clientY, innerHeight)] } });
    }
    if (event.type === "pointerup" || event.type === "pointercancel") held = null;
  };
  const kinds = ["pointerdown", "pointermove", "pointerup", "pointercancel", "click"];
  const done = () => {
    kinds.forEach((kind) => removeEventListener(kind, take, true));
    bar.remove();
    classList.remove("places");
    classList.toggle("touch", touch);
  };
  bar.append(
    text,
    button("set.places.usual", () => settings.set({ places: undefined }), ""),
    button("set.done", done, "primary"),
  );
  kinds.forEach((kind) => addEventListener(kind, take, true));
  document.body.append(bar);
  bar.lastChild.focus();
};
