// The picture, its near and its far bloom.
in vec2 v_uv;
uniform sampler2D u_from;
uniform sampler2D u_near;
uniform sampler2D u_far;
uniform float u_bloom;
out vec4 o_color;

void main() {
  vec3 c = texture(u_from, v_uv).rgb;
  c += (texture(u_near, v_uv).rgb * 0.55 + texture(u_far, v_uv).rgb * 0.60) * u_bloom;
  // A soft shoulder: overlapping lights go white slowly and never clip hard.
  c = mix(c, 1.0 - exp(-c * 1.35), smoothstep(0.55, 1.3, max(c.r, max(c.g, c.b))));
  o_color = vec4(c, 1.0);
}
