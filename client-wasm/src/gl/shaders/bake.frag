// Runs once per context: paints a tile of clouds and the texture of the game, which later images only sample.
in vec2 v_uv;
uniform int u_mode;                     // 0: clouds, 1: the texture of the game
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

vec4 clouds() {
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

// The texture of the game.
vec4 own_texture();

void main() { o_color = u_mode == 0 ? clouds() : own_texture(); }
