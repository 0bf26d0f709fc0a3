// What is bright enough to bloom, at a quarter of the size.
in vec2 v_uv;
uniform sampler2D u_from;
uniform vec2 u_step;                    // one texel of the source
out vec4 o_color;

vec3 tap(vec2 off) {
  vec3 c = texture(u_from, v_uv + off * u_step).rgb;
  float top = max(c.r, max(c.g, c.b));
  return c * smoothstep(0.34, 0.95, top);
}
void main() { o_color = vec4((tap(vec2(-1.0, -1.0)) + tap(vec2(1.0, -1.0)) + tap(vec2(-1.0, 1.0)) + tap(vec2(1.0, 1.0))) * 0.25, 1.0); }
