// The sky behind everything: two sheets of the nebula tile, and what lies beyond the arena's edge.
in vec2 v_uv;
uniform sampler2D u_sky;
uniform vec4 u_view;                    // camera centre, and half the visible extent, in world units
uniform float u_number;                 // radius of the arena, world units
uniform float u_time;
out vec4 o_color;

void main() {
  vec2 p = (v_uv * 2.0 - 1.0) * vec2(1.0, -1.0) * u_view.zw;
  vec3 color = texture(u_sky, (u_view.xy * 0.10 + p * 0.62) / 2300.0).rgb;
  color += texture(u_sky, (u_view.yx * vec2(-0.22, 0.22) + p.yx * 0.80) / 1500.0 + 0.37).rgb * 0.45;
  vec2 world = u_view.xy + p;
  float beyond = length(world) - u_number;
  float out_ = smoothstep(-60.0, 160.0, beyond);
  float hatch = smoothstep(0.42, 0.5, abs(fract((world.x + world.y) / 46.0 - u_time * 0.06) - 0.5));
  color = mix(color, color * 0.35 + vec3(0.085, 0.012, 0.028) * (1.0 + hatch * 0.9 * smoothstep(0.0, 40.0, beyond)), out_);
  vec2 corner = v_uv * 2.0 - 1.0;
  color *= 0.86 - 0.30 * dot(corner, corner) * 0.5;
  // Eight bits band in the dark: a pinch of noise hides it.
  float grain = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.547);
  o_color = vec4(color + (grain - 0.5) / 200.0, 1.0);
}
