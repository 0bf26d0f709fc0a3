// Times every image of the page: the page asks for each through the window, which is where we stand.
const ask = window.requestAnimationFrame.bind(window);
window.drawn = [];
window.requestAnimationFrame = (draw) =>
  ask((at) => {
    const began = performance.now();
    draw(at);
    window.drawn.push([began, performance.now() - began]);
  });
// Hands that fly in circles and fire.
const view = document.getElementById("view");
window.dispatchEvent(new KeyboardEvent("keydown", { code: "KeyW" }));
setInterval(() => {
  const angle = performance.now() / 900;
  const [clientX, clientY] = [innerWidth / 2 + Math.cos(angle) * 200, innerHeight / 2 + Math.sin(angle) * 200];
  view.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, pointerType: "mouse", buttons: 1, clientX, clientY }));
}, 50);
