//! The WebGL 2 context and calls that all of the drawing shares.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    HtmlCanvasElement, WebGl2RenderingContext as Gl, WebGlProgram, WebGlShader, WebGlTexture, WebGlUniformLocation,
};

/// Opens a WebGL 2 context on a canvas; `None` if the browser has none.
#[must_use]
pub(crate) fn open(canvas: &HtmlCanvasElement) -> Option<Gl> {
    let options = js_sys::Object::new();
    // Shapes soften their own edges, and the page behind the canvas is never visible.
    for (key, value) in [("antialias", false), ("alpha", false), ("depth", false), ("stencil", false)] {
        js_sys::Reflect::set(&options, &key.into(), &value.into()).ok()?;
    }
    js_sys::Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()).ok()?;
    canvas.get_context_with_context_options("webgl2", &options).ok()??.dyn_into::<Gl>().ok()
}

/// The name of the GPU or of the software that draws in this context; `None` if the browser does not say.
#[must_use]
pub(crate) fn renderer(gl: &Gl) -> Option<String> {
    /// `UNMASKED_RENDERER_WEBGL` of the extension.
    const UNMASKED: u32 = 0x9246;
    let unmasked = gl.get_extension("WEBGL_debug_renderer_info").ok().flatten().is_some();
    gl.get_parameter(if unmasked { UNMASKED } else { Gl::RENDERER }).ok()?.as_string()
}

/// A linked program and its uniforms.
#[derive(Debug)]
pub(crate) struct Program {
    program: WebGlProgram,
    uniforms: Vec<(&'static str, Option<WebGlUniformLocation>)>,
}

impl Program {
    /// Compiles and links. `uniforms` names every uniform that will be set.
    ///
    /// # Errors
    /// The driver's message.
    pub(crate) fn new(gl: &Gl, vertex: &str, fragment: &str, uniforms: &[&'static str]) -> Result<Self, String> {
        let program = gl.create_program().ok_or("no program")?;
        for (kind, source) in [(Gl::VERTEX_SHADER, vertex), (Gl::FRAGMENT_SHADER, fragment)] {
            gl.attach_shader(&program, &compile(gl, kind, source)?);
        }
        gl.link_program(&program);
        if !gl.get_program_parameter(&program, Gl::LINK_STATUS).is_truthy() {
            return Err(gl.get_program_info_log(&program).unwrap_or_default());
        }
        let uniforms = uniforms.iter().map(|name| (*name, gl.get_uniform_location(&program, name))).collect();
        Ok(Program { program, uniforms })
    }

    pub(crate) fn bind(&self, gl: &Gl) {
        gl.use_program(Some(&self.program));
    }

    /// The location of a uniform. Unknown names and those that the driver optimized away give `None`, which WebGL ignores.
    #[must_use]
    pub(crate) fn at(&self, name: &str) -> Option<&WebGlUniformLocation> {
        self.uniforms.iter().find(|(known, _)| *known == name)?.1.as_ref()
    }
}

fn compile(gl: &Gl, kind: u32, source: &str) -> Result<WebGlShader, String> {
    let shader = gl.create_shader(kind).ok_or("no shader")?;
    gl.shader_source(&shader, &format!("#version 300 es\nprecision highp float;\nprecision highp int;\n{source}"));
    gl.compile_shader(&shader);
    if gl.get_shader_parameter(&shader, Gl::COMPILE_STATUS).is_truthy() {
        return Ok(shader);
    }
    Err(gl.get_shader_info_log(&shader).unwrap_or_default())
}

/// How a texture continues beyond its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Repeat,
    Clamp,
}

/// An empty RGBA texture with linear filtering.
///
/// # Errors
/// The context is lost.
pub(crate) fn texture(gl: &Gl, width: i32, height: i32, wrap: Wrap) -> Result<WebGlTexture, String> {
    let texture = gl.create_texture().ok_or("no texture")?;
    gl.bind_texture(Gl::TEXTURE_2D, Some(&texture));
    gl.tex_image_2d_with_i32_and_i32_and_i32_and_format_and_type_and_opt_u8_array(
        Gl::TEXTURE_2D,
        0,
        Gl::RGBA8 as i32,
        width,
        height,
        0,
        Gl::RGBA,
        Gl::UNSIGNED_BYTE,
        None,
    )
    .map_err(|e| text(&e))?;
    let wrap = match wrap {
        Wrap::Repeat => Gl::REPEAT,
        Wrap::Clamp => Gl::CLAMP_TO_EDGE,
    };
    for (key, value) in [
        (Gl::TEXTURE_MIN_FILTER, Gl::LINEAR),
        (Gl::TEXTURE_MAG_FILTER, Gl::LINEAR),
        (Gl::TEXTURE_WRAP_S, wrap),
        (Gl::TEXTURE_WRAP_T, wrap),
    ] {
        gl.tex_parameteri(Gl::TEXTURE_2D, key, value as i32);
    }
    Ok(texture)
}

/// Binds a texture to a unit and sets the bound program's uniform.
pub(crate) fn bind_texture(gl: &Gl, unit: u32, texture: &WebGlTexture, at: Option<&WebGlUniformLocation>) {
    gl.active_texture(Gl::TEXTURE0 + unit);
    gl.bind_texture(Gl::TEXTURE_2D, Some(texture));
    gl.uniform1i(at, unit as i32);
}

/// The text of a JavaScript exception.
#[must_use]
pub(crate) fn text(value: &JsValue) -> String {
    value.as_string().unwrap_or_else(|| js_sys::Object::from(value.clone()).to_string().into())
}
