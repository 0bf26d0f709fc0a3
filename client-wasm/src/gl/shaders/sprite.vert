// One instance is one quad: 4 corners from the vertex number, no vertex buffer.
layout(location = 0) in vec4 a_place;   // centre and half size, world units
layout(location = 1) in vec4 a_form;    // turn in radians, shape + 64 if it adds light, two numbers of the shape
layout(location = 2) in vec4 a_tint;
layout(location = 3) in vec4 a_accent;
uniform vec4 u_camera;                  // centre, and clip units per world unit along x and y

out vec2 v_uv;
flat out vec2 v_half;
flat out vec2 v_turn;                   // cosine and sine
flat out vec2 v_extra;
flat out int v_shape;
flat out vec4 v_tint;
flat out vec4 v_accent;

void main() {
  v_uv = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  v_half = a_place.zw;
  v_turn = vec2(cos(a_form.x), sin(a_form.x));
  v_shape = int(a_form.y + 0.5);
  v_extra = a_form.zw;
  v_tint = a_tint;
  v_accent = a_accent;
  vec2 local = v_uv * v_half;
  vec2 world = a_place.xy + vec2(v_turn.x * local.x - v_turn.y * local.y, v_turn.y * local.x + v_turn.x * local.y);
  gl_Position = vec4((world - u_camera.xy) * u_camera.zw, 0.0, 1.0);
}
