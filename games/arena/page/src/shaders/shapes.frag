// The shapes of the arena, beside those of the shell.
// Distance to the hull's edge (inside negative) and the direction in which it grows.
vec3 hull(vec2 p, int kind) {
  float flip = p.y < 0.0 ? -1.0 : 1.0;
  p.y = abs(p.y);
  float best = 1e9, sign_ = 1.0;
  vec2 to = vec2(0.0);
  vec2 a = HULLS[kind * CORNERS];
  for (int i = 1; i < CORNERS; i++) {
    vec2 b = HULLS[kind * CORNERS + i];
    vec2 e = a - b, w = p - b;
    vec2 off = w - e * clamp(dot(w, e) / dot(e, e), 0.0, 1.0);
    float d = dot(off, off);
    if (d < best) { best = d; to = off; }
    bvec3 c = bvec3(p.y >= b.y, p.y < a.y, e.x * w.y > e.y * w.x);
    if (all(c) || all(not(c))) sign_ = -sign_;
    a = b;
  }
  float d = sqrt(best) * sign_;
  vec2 grow = to / max(sqrt(best), 1e-4) * sign_;
  return vec3(d, grow.x, grow.y * flip);
}

vec4 ship() {
  float scale = v_half.x / 1.3;             // the quad leaves room around the hull
  vec2 p = v_uv * 1.3;
  int kind = int(v_extra.x + 0.5);
  vec3 h = hull(p, kind);
  float px = u_px / scale;
  float cover = clamp(0.5 - h.x / px, 0.0, 1.0);
  float rim = smoothstep(-0.105, -0.045, h.x);
  float deep = smoothstep(0.0, -0.30, h.x);
  float ridge = clamp(p.y * 7.0, -1.0, 1.0) * 0.34 * smoothstep(0.55, 0.1, abs(p.y));
  vec3 normal = normalize(vec3(h.yz * (1.0 - deep) * 0.95 + vec2(0.0, ridge), 0.9));
  float light = max(dot(normal, to_local(LIGHT)), 0.0);
  vec3 plate = mix(v_tint.rgb * 0.34 + vec3(0.03, 0.04, 0.07), v_tint.rgb * 0.62, step(0.30, abs(p.y) + p.x * 0.12));
  vec3 color = plate * (0.35 + 1.15 * light) + vec3(0.75, 0.85, 1.0) * pow(light, 9.0) * 0.30;
  float seam = smoothstep(0.020 + px, 0.020, abs(h.x + 0.20)) * 0.55 + smoothstep(0.016 + px, 0.016, abs(p.x + 0.30)) * 0.4 * step(abs(p.y), 0.45);
  color *= 1.0 - seam * deep;
  color = mix(color, v_tint.rgb * (0.80 + 0.55 * light), rim);
  float stripe = smoothstep(px, 0.0, abs(p.x + 0.46 - abs(p.y) * 0.35) - 0.045) * smoothstep(-0.06, -0.12, h.x);
  color = mix(color, v_accent.rgb, stripe * 0.9);
  vec2 glass_at = vec2(COCKPITS[kind], 0.0);
  float glass = length((p - glass_at) * vec2(1.0, 1.9)) - 0.20;
  float lit = 0.55 + 0.45 * smoothstep(0.10, -0.12, dot(p - glass_at, to_local(-LIGHT).xy));
  color = mix(color, mix(v_accent.rgb * 0.45, v_accent.rgb + 0.35, lit), clamp(0.5 - glass / px, 0.0, 1.0));
  color = mix(color, vec3(0.02, 0.03, 0.06), clamp(0.5 - (abs(glass) - 0.022) / px, 0.0, 1.0) * 0.8);
  color = mix(color, vec3(1.0), v_extra.y * 0.6);
  // A dark halo keeps the silhouette readable over bright sky and flames.
  float halo = exp(-max(h.x, 0.0) * 9.0) * 0.55 * (1.0 - cover);
  return vec4(color * cover, cover + halo * step(0.0, h.x)) * v_tint.a;
}

vec4 rock() {
  int kind = int(v_extra.x + 0.5);
  vec2 cell = vec2(kind & 3, kind >> 2);
  vec2 st = (cell + clamp(v_uv * 0.5 + 0.5, 0.004, 0.996)) / vec2(4.0, 2.0);
  float lod = max(log2(256.0 * u_px / (2.0 * v_half.x)), 0.0);
  vec4 t = textureLod(u_own, st, lod);
  vec3 n = vec3(t.xy * 2.0 - 1.0, 0.0);
  n.z = sqrt(max(1.0 - dot(n.xy, n.xy), 0.04));
  vec3 l = to_local(LIGHT);
  float light = max(dot(n, l), 0.0);
  float back = pow(max(dot(n.xy, -l.xy), 0.0), 2.5);
  vec3 base = mix(v_tint.rgb, v_accent.rgb, t.z);
  vec3 color = base * (0.11 + 1.15 * light) + vec3(0.10, 0.20, 0.36) * back + vec3(0.25) * pow(light, 16.0) * t.z;
  float cover = smoothstep(0.40, 0.60, t.w);
  return vec4(color, 1.0) * cover * v_tint.a;
}

vec4 shield() {
  float r = length(v_uv);
  if (r > 1.0) return vec4(0.0);
  float z = sqrt(1.0 - r * r);
  float fresnel = pow(1.0 - z, 2.2) * smoothstep(1.0, 0.96, r);
  vec2 q = v_uv * (1.0 + 0.35 * (1.0 - z)) * 4.5;
  q.x += floor(q.y) * 0.5;
  vec2 g = abs(fract(q) - 0.5);
  float cells = smoothstep(0.40, 0.50, max(g.x, g.y)) * (0.10 + 0.5 * fresnel);
  float sweep = 0.5 + 0.5 * sin(v_uv.y * 5.0 - u_time * 3.0);
  float a = (fresnel * 0.75 + cells * sweep * 0.35 + v_extra.y * (0.25 + fresnel)) * v_extra.x;
  return vec4(mix(v_tint.rgb, vec3(1.0), fresnel * 0.35 + v_extra.y * 0.3) * a * v_tint.a, 0.0);
}

vec4 flame() {
  float t = (1.0 - v_uv.x) * 0.5;
  float flicker = 0.85 + 0.15 * sin(u_time * 71.0 + v_extra.x) * sin(u_time * 43.0 + v_extra.x * 2.0);
  float reach = t / max(v_extra.y * flicker, 0.05);
  float w = 0.62 * sqrt(max(1.0 - reach, 0.0)) * smoothstep(-0.04, 0.12, t + 0.04) + 0.001;
  float v = abs(v_uv.y) / w;
  float body = exp(-v * v * 2.6) * pow(max(1.0 - reach, 0.0), 1.2);
  float core = exp(-v * v * 12.0) * pow(max(1.0 - reach * 1.5, 0.0), 1.5);
  return vec4((v_tint.rgb * body + v_accent.rgb * core) * v_tint.a, 0.0);
}

vec4 beam() {
  float age = v_extra.x, fresh = 1.0 - age;
  float along = (v_uv.x * 0.5 + 0.5) * v_extra.y;
  float y = v_uv.y;
  float ends = smoothstep(0.0, 10.0, along) * smoothstep(0.0, 6.0, v_extra.y - along);
  float core = exp(-y * y / (0.004 + 0.010 * fresh)) * fresh * fresh * 1.5;
  float halo = exp(-abs(y) * 5.5) * fresh * 0.8;
  // Two threads wound around the core, which widen as they cool.
  float wind = (0.12 + 0.62 * sqrt(age)) * sin(along * 0.085 - u_time * 9.0);
  float threads = (exp(-pow((y - wind) / 0.07, 2.0)) + exp(-pow((y + wind) / 0.07, 2.0))) * fresh * 0.75;
  vec3 color = v_tint.rgb * (halo + threads) + mix(v_tint.rgb, vec3(1.0), 0.8) * core;
  return vec4(color * ends * smoothstep(1.0, 0.8, abs(y)) * v_tint.a, 0.0);
}

vec4 wall() {
  float y = v_uv.y * v_half.y;
  float along = v_extra.x + v_uv.x * v_half.x;
  float core = exp(-abs(y) * 0.34) * 1.0 + exp(-y * y * 0.005) * 0.20;
  float flow = pow(0.5 + 0.5 * sin(along * 0.045 - u_time * 2.4), 6.0);
  float posts = smoothstep(0.44, 0.5, abs(fract(along / 120.0) - 0.5));
  float outer = smoothstep(0.0, 4.0, y);
  float bars = 0.5 + 0.5 * sin((along + y) * 0.16);
  float haze = exp(-abs(y) * 0.045) * mix(0.10, 0.26 + 0.16 * bars, outer);
  float edge = smoothstep(1.0, 0.7, abs(v_uv.y));
  vec3 color = v_tint.rgb * (core + haze) + v_accent.rgb * (flow * core * 0.6 + posts * exp(-abs(y) * 0.12) * 0.7);
  return vec4(color * edge * v_tint.a, 0.0);
}

vec4 pickup() {
  float r = length(v_uv) * v_half.x;
  vec2 p = v_uv * v_half.x;
  float unit = v_half.x / 1.25;
  vec2 q = p / unit;
  int kind = int(v_extra.x + 0.5);
  float hex = max(abs(q.x) * 0.866 + abs(q.y) * 0.5, abs(q.y)) - 0.92;
  float px = u_px / unit;
  float plate = clamp(0.5 - hex / px, 0.0, 1.0);
  float rim = clamp(0.5 - (abs(hex + 0.06) - 0.055) / px, 0.0, 1.0);
  float icon;
  if (kind == 0) {
    icon = min(box(q, vec2(0.50, 0.16)), box(q, vec2(0.16, 0.50)));
  } else if (kind == 1) {
    vec2 c = vec2(q.x + abs(q.y) * 0.72, q.y);
    float a = max(abs(c.x + 0.06) - 0.13, abs(c.y) - 0.46);
    icon = min(a, max(abs(c.x - 0.38) - 0.13, abs(c.y) - 0.46));
  } else {
    icon = abs(length(q) - 0.42) - 0.10;
    icon = min(icon, length(q) - 0.13);
  }
  float mark = clamp(0.5 - icon / px, 0.0, 1.0);
  vec3 color = mix(v_tint.rgb * 0.16 + vec3(0.01, 0.02, 0.05), v_tint.rgb, rim);
  color += v_tint.rgb * 0.25 * smoothstep(0.4, -0.6, q.y + q.x * 0.4) * (1.0 - rim);
  color = mix(color, mix(v_tint.rgb, vec3(1.0), 0.55), mark);
  return vec4(color, 1.0) * plate * v_tint.a;
}

vec4 bar() {
  vec2 p = v_uv * v_half;
  float frame = inside(box(p, v_half - u_px));
  float fill = inside(box(p, v_half - u_px * 2.0)) * step(v_uv.x * 0.5 + 0.5, v_extra.x);
  float guard = step(v_uv.x * 0.5 + 0.5, v_extra.y) * step(v_uv.y, -0.1);
  vec3 color = mix(vec3(0.02, 0.03, 0.06), mix(v_tint.rgb, v_accent.rgb, guard), max(fill, guard * frame));
  return vec4(color, 1.0) * frame * mix(0.75, 1.0, fill) * v_tint.a;
}

vec4 radar() {
  float r = length(v_uv);
  float px = u_px / v_half.x;
  float disc = clamp(0.5 - (r - 1.0 + px) / px, 0.0, 1.0);
  float rim = clamp(1.0 - abs(r - 1.0 + 1.5 * px) / (1.5 * px), 0.0, 1.0);
  float rings = clamp(1.0 - abs(r - 0.5) / px, 0.0, 1.0) * 0.30;
  float cross_ = max(clamp(1.0 - abs(v_uv.x) / px, 0.0, 1.0), clamp(1.0 - abs(v_uv.y) / px, 0.0, 1.0)) * 0.16;
  float lines = max(rings, cross_) * disc + rim * 0.8;
  float a = disc * 0.62;
  return vec4(vec3(0.025, 0.05, 0.11) * a + v_tint.rgb * lines, max(a, lines)) * v_tint.a;
}

// The zone: a floor that brightens to its rim, waves that run inward, and around it a ring that fills from the top on both sides.
vec4 zone() {
  float r = length(v_uv) * 1.12;            // 1 at the rim
  float px = u_px / v_half.x * 1.12;
  float contested = v_extra.y;
  float beat = mix(1.0, 0.55 + 0.45 * sin(u_time * 9.0), contested);
  float within = clamp(0.5 - (r - 1.0) / px, 0.0, 1.0);
  float floor_ = (0.035 + 0.085 * smoothstep(0.35, 1.0, r)) * within;
  float wave = fract(r * 4.0 + u_time * 0.22);
  float waves = smoothstep(0.86, 1.0, wave) * smoothstep(0.1, 0.9, r) * 0.10 * within * step(0.001, v_extra.x);
  float rim = exp(-pow((r - 1.0) / (1.6 * px), 2.0)) * 0.85 * beat;
  float rise = abs(atan(v_uv.x, -v_uv.y)) / 3.14159265;
  float notch = smoothstep(0.06, 0.12, abs(fract(rise * 24.0) - 0.5));
  float track = clamp(0.5 - (abs(r - 1.055) - 0.022) / px, 0.0, 1.0) * notch;
  float filled = step(rise, v_extra.x) * step(0.001, v_extra.x);
  vec3 glow = v_tint.rgb * (floor_ + rim) + v_accent.rgb * waves;
  vec3 ring = mix(vec3(0.55, 0.65, 0.8) * 0.14, mix(v_accent.rgb, vec3(1.0), 0.2 * contested * beat) * 0.9, filled) * track;
  return vec4(glow + ring, 0.0) * v_tint.a;
}

vec4 own_shape(int shape) {
  float r = length(v_uv);
  vec4 c = vec4(0.0);
  switch (shape) {
    case FLAME: c = flame(); break;
    case SHIP: c = ship(); break;
    case ROCK: c = rock(); break;
    case SHIELD: c = shield(); break;
    case PICKUP: c = pickup(); break;
    case WALL: c = wall(); break;
    case BEAM: c = beam(); break;
    case BAR: c = bar(); break;
    case WOUND: {
      float off = abs(atan(v_uv.y, v_uv.x)) / v_extra.x;
      float d = (r - 0.88) / 0.055;
      c = vec4(v_tint.rgb, 1.0) * exp(-d * d) * smoothstep(1.0, 0.3, off) * smoothstep(1.0, 0.97, r) * v_tint.a; break;
    }
    case STAR: {
      float f = max(1.0 - r, 0.0);
      float flare = max(1.0 - abs(v_uv.x) * 14.0, 0.0) * f + max(1.0 - abs(v_uv.y) * 14.0, 0.0) * f;
      c = vec4(mix(v_tint.rgb, vec3(1.0), f * f * f * 0.6), 1.0) * (pow(f, 6.0) * 1.6 + flare * 0.5 * v_extra.x) * v_tint.a; break;
    }
    case EDGE: c = vec4(v_tint.rgb, 1.0) * smoothstep(0.75, 1.45, r) * v_tint.a; break;
    case ARROW: {
      vec2 p = vec2(v_uv.x, abs(v_uv.y));
      float d = max(dot(p - vec2(0.8, 0.0), vec2(0.6, 0.8)), -(dot(p - vec2(-0.05, 0.0), vec2(0.6, 0.8))));
      d = max(d, -v_uv.x - 0.7);
      float cover = inside(d * v_half.x);
      c = vec4(v_tint.rgb, 1.0) * max(cover, exp(-max(d, 0.0) * 9.0) * 0.25 * (1.0 - smoothstep(0.7, 1.0, r))) * v_tint.a; break;
    }
    case RADAR: c = radar(); break;
    case ZONE: c = zone(); break;
    default: break;
  }
  return c;
}
