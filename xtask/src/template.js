// Steers the own dot to the nearest star, by keys: first along x, then along y.
const NEAR = 15;
const held = new Set();
const hold = (code, down) => {
  if (down === held.has(code)) return;
  if (down) held.add(code);
  else held.delete(code);
  dispatchEvent(new KeyboardEvent(down ? "keydown" : "keyup", { code }));
};
setInterval(() => {
  const { x, y, star_x, star_y } = window.broadside.state();
  const [dx, dy] = [star_x - x, star_y - y];
  const beside = Math.abs(dx) <= NEAR;
  hold("KeyD", dx > NEAR);
  hold("KeyA", dx < -NEAR);
  hold("KeyS", beside && dy > 0);
  hold("KeyW", beside && dy < 0);
}, 16);
