// Nine texels of a Gaussian in five reads, along u_step.
in vec2 v_uv;
uniform sampler2D u_from;
uniform vec2 u_step;
out vec4 o_color;

void main() {
  vec3 c = texture(u_from, v_uv).rgb * 0.2270270;
  c += (texture(u_from, v_uv + u_step * 1.3846154).rgb + texture(u_from, v_uv - u_step * 1.3846154).rgb) * 0.3162162;
  c += (texture(u_from, v_uv + u_step * 3.2307692).rgb + texture(u_from, v_uv - u_step * 3.2307692).rgb) * 0.0702703;
  o_color = vec4(c, 1.0);
}
