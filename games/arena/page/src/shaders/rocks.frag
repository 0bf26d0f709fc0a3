// The relief of eight rocks.
float outline(float angle, float seed) {
  float r = 0.0;
  for (int i = 2; i < 9; i++) {
    float n = float(i);
    r += sin(angle * n + hash(vec2(seed, n)) * 6.2832) * (0.34 * hash(vec2(n, seed + 9.0)) / n);
  }
  return 0.80 + r * 0.42;
}
float relief(vec2 p, float seed) {
  float h = fbm(p * 2.2 + seed * 13.0 + 40.0, 256.0, 0.0) * 0.50;
  // Facets: broad planes, so that a rock looks broken and not melted.
  h += abs(fbm(p * 1.3 + seed * 7.0 + 90.0, 256.0, 0.0) - 0.5) * 0.85;
  for (int i = 0; i < 6; i++) {
    vec2 at = (vec2(hash(vec2(seed, float(i) + 20.0)), hash(vec2(seed, float(i) + 40.0))) * 2.0 - 1.0) * 0.62;
    float size = 0.10 + 0.20 * hash(vec2(seed, float(i) + 60.0));
    float d = length(p - at) / size;
    h += -0.20 * size * 4.0 * smoothstep(1.0, 0.25, d) + 0.12 * exp(-(d - 1.05) * (d - 1.05) * 22.0) * size * 3.0;
  }
  return h;
}
vec4 own_texture() {
  vec2 grid = v_uv * vec2(4.0, 2.0);
  vec2 cell = floor(grid);
  float seed = cell.x + cell.y * 4.0 + 3.0;
  vec2 p = (fract(grid) * 2.0 - 1.0) * 1.2;
  float edge = outline(atan(p.y, p.x), seed) * 1.2;
  float r = length(p) / edge;
  float dome = sqrt(max(1.0 - r * r, 0.0));
  vec2 e = vec2(0.012, 0.0);
  float h = relief(p, seed);
  vec2 slope = vec2(relief(p + e, seed) - h, relief(p + e.yx, seed) - h) / e.x;
  vec3 n = normalize(vec3(p / edge * smoothstep(0.25, 1.0, r) * 1.25 - slope * 0.42, 0.30 + dome * 0.75));
  float grain = clamp(fbm(p * 5.0 + seed * 3.0 + 60.0, 256.0, 0.0) * 1.3 - 0.15 + h * 0.25, 0.0, 1.0);
  return vec4(n.xy * 0.5 + 0.5, grain, clamp((1.0 - r) * 6.0 + 0.5, 0.0, 1.0));
}
