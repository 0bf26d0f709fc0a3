// Runs once per context: paints the nebula tile and the rocks' relief, which later frames only sample.
in vec2 v_uv;
uniform int u_mode;                     // 0: nebula, 1: rocks
out vec4 o_color;

float hash(vec2 p) {
  uvec2 q = uvec2(ivec2(p)) * uvec2(1597334673u, 3812015801u);
  uint n = (q.x ^ q.y) * 1597334673u;
  n ^= n >> 15u; n *= 2246822519u; n ^= n >> 13u;
  return float(n >> 8u) / 16777216.0;
}
float noise(vec2 p, float period) {
  vec2 i = floor(p), f = fract(p);
  f = f * f * f * (f * (f * 6.0 - 15.0) + 10.0);
  vec2 a = mod(i, period), b = mod(i + 1.0, period);
  return mix(mix(hash(a), hash(vec2(b.x, a.y)), f.x), mix(hash(vec2(a.x, b.y)), hash(b), f.x), f.y);
}
float fbm(vec2 p, float period, float shift) {
  float sum = 0.0, part = 0.5;
  for (int i = 0; i < 6; i++) {
    sum += part * noise(p + shift, period);
    p *= 2.0; period *= 2.0; part *= 0.5; shift *= 2.0;
  }
  return sum;
}

vec4 nebula() {
  vec2 p = v_uv * 4.0;
  vec2 bend = vec2(fbm(p, 4.0, 0.0), fbm(p, 4.0, 17.0)) - 0.5;
  float a = fbm(p + bend * 1.6, 4.0, 31.0);
  float b = fbm(p - bend * 1.9, 4.0, 53.0);
  float veil = fbm(p * 2.0 + bend * 2.2, 8.0, 7.0);
  float teal = smoothstep(0.46, 0.78, a), rose = smoothstep(0.50, 0.80, b), dust = smoothstep(0.42, 0.70, veil);
  vec3 color = vec3(0.012, 0.019, 0.046);
  color += vec3(0.015, 0.115, 0.170) * teal * (0.45 + 0.55 * dust);
  color += vec3(0.150, 0.035, 0.140) * rose * (0.35 + 0.65 * dust);
  color += vec3(0.170, 0.085, 0.050) * teal * rose * dust;
  color += vec3(0.030, 0.045, 0.090) * smoothstep(0.3, 0.8, veil);
  return vec4(color, veil);
}

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
vec4 rocks() {
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

void main() { o_color = u_mode == 0 ? nebula() : rocks(); }
