// Every shape as a distance field: crisp at any size, and no picture to download.
// Edges are softened over u_px, the size of a pixel in world units; no derivatives, since shapes branch.
in vec2 v_uv;
flat in vec2 v_half;
flat in vec2 v_turn;
flat in vec2 v_extra;
flat in int v_shape;
flat in vec4 v_tint;
flat in vec4 v_accent;
uniform float u_px;
uniform float u_time;
uniform sampler2D u_own;
uniform sampler2D u_sky;
uniform sampler2D u_text;
out vec4 o_color;

const vec3 LIGHT = vec3(-0.48, -0.62, 0.62);

float inside(float d) { return clamp(0.5 - d / u_px, 0.0, 1.0); }
float box(vec2 p, vec2 b) { vec2 q = abs(p) - b; return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0); }
float line(vec2 p, vec2 a, vec2 b) { vec2 e = b - a; return length(p - a - e * clamp(dot(p - a, e) / dot(e, e), 0.0, 1.0)); }
vec3 to_local(vec3 v) { return vec3(v_turn.x * v.x + v_turn.y * v.y, -v_turn.y * v.x + v_turn.x * v.y, v.z); }
float hash(float n) { return fract(sin(n * 78.233) * 43758.547); }

vec4 bolt() {
  vec2 p = v_uv * v_half;
  float body = v_half.x - v_half.y;
  float taper = mix(0.35, 1.0, smoothstep(-1.0, 0.6, v_uv.x));
  float d = line(p, vec2(-body, 0.0), vec2(body, 0.0)) / v_half.y;
  float halo = pow(max(1.0 - d, 0.0), 2.4) * taper;
  float core = smoothstep(0.34, 0.16, d) * smoothstep(-1.0, 0.2, v_uv.x);
  return vec4((v_tint.rgb * halo + mix(v_tint.rgb, vec3(1.0), 0.85) * core) * v_tint.a, core * 0.6 * v_tint.a);
}

vec4 shard() {
  float a = 0.55 + 0.4 * hash(v_extra.x), b = 0.55 + 0.4 * hash(v_extra.x + 1.7);
  vec2 p = v_uv;
  float d = max(max(p.x * 0.86 + p.y * 0.5 - a * 0.5, -p.x * 0.86 + p.y * 0.5 - b * 0.5), -p.y - 0.45);
  float cover = inside(d * v_half.x);
  float light = 0.45 + 0.75 * max(dot(normalize(vec3(p, 0.7)), to_local(LIGHT)), 0.0);
  vec3 hot = v_accent.rgb * smoothstep(-0.30, 0.0, d) * v_extra.y;
  return vec4(v_tint.rgb * light + hot, 1.0) * cover * v_tint.a;
}

// A triangle on the lower edge of the quad. Only its base is softened: the other edges join to those of the next triangle.
vec4 triangle() {
  float top = v_extra.x;
  float from = top <= -1.0 ? v_extra.y : -1.0, to = top >= 1.0 ? v_extra.y : 1.0;
  float up = v_uv.y * 0.5 + 0.5;
  float within = step(mix(from, top, up), v_uv.x) * step(v_uv.x, mix(to, top, up));
  return vec4(v_tint.rgb, 1.0) * within * inside(u_px * 0.5 - (v_uv.y + 1.0) * v_half.y) * v_tint.a;
}

vec4 arc() {
  float thick = v_extra.x * v_half.x;
  float off = max(abs(atan(v_uv.y, v_uv.x)) - v_extra.y, 0.0);
  float d = max(abs(length(v_uv) * v_half.x - v_half.x + thick * 0.5 + u_px * 0.5) - thick * 0.5, sin(min(off, 1.57)) * length(v_uv) * v_half.x);
  return vec4(v_tint.rgb, 1.0) * inside(d) * v_tint.a;
}

// The shapes of the game, from 0.
vec4 own_shape(int shape);

void main() {
  int shape = v_shape & 63;
  float r = length(v_uv);
  vec4 c = vec4(0.0);
  switch (shape) {
    case GLOW: { float f = max(1.0 - r, 0.0); c = vec4(v_tint.rgb, 1.0) * f * f * v_tint.a; break; }
    case DISC: c = vec4(v_tint.rgb, 1.0) * inside((r - 1.0) * v_half.x + u_px) * v_tint.a; break;
    case RING: {
      float d = (r - v_extra.x) / v_extra.y;
      c = vec4(v_tint.rgb, 1.0) * exp(-d * d) * smoothstep(1.0, 0.92, r) * v_tint.a; break;
    }
    case BOLT: c = bolt(); break;
    case RECT: c = vec4(v_tint.rgb, 1.0) * inside(box(v_uv * v_half, v_half - u_px * 0.5)) * v_tint.a; break;
    case ARC: c = arc(); break;
    case TRIANGLE: c = triangle(); break;
    case TEXT: {
      // 4 columns of 32 lines; x is the slot, y the part of it the text fills.
      float slot = floor(v_extra.x + 0.5);
      vec2 cell = vec2(mod(slot, 4.0), floor(slot / 4.0));
      vec2 st = (cell + vec2((v_uv.x * 0.5 + 0.5) * v_extra.y, v_uv.y * 0.5 + 0.5)) / vec2(4.0, 32.0);
      vec4 t = textureLod(u_text, st, 0.0);
      c = vec4(t.rgb * v_tint.rgb, t.a) * v_tint.a; break;
    }
    case SHARD: c = shard(); break;
    case SMOKE: {
      float cloud = textureLod(u_sky, v_uv * 0.16 + v_extra.x, 0.0).a;
      float f = max(1.0 - r - cloud * 0.55, 0.0);
      c = vec4(v_tint.rgb, 1.0) * f * v_tint.a; break;
    }
    default: c = own_shape(shape - 32); break;
  }
  if (v_shape >= 64) c.a = 0.0;
  o_color = c;
}
