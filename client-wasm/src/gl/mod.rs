//! Drawing with WebGL 2: one buffer of sprites and one draw call for the whole world, over a sky, under a bloom.
//!
//! | module | what it holds |
//! |---|---|
//! | [`batch`] | sprites, and the bytes they are packed into |
//! | [`context`] | opening WebGL, programs, textures |
//! | [`target`] | drawing into textures; bloom |
//! | [`text`] | names, each drawn once into an atlas |
//! | `shaders/` | the GLSL: `sprite` draws every shape, `bake` paints textures once, the rest is bloom |
//!
//! A sprite's color is premultiplied, and one that adds light has alpha 0: so both kinds share one draw call and keep their
//! order.

pub(crate) mod batch;
pub(crate) mod context;
pub(crate) mod target;
pub(crate) mod text;

use glam::Vec2;
use web_sys::{
    Document, HtmlCanvasElement, WebGl2RenderingContext as Gl, WebGlBuffer, WebGlTexture, WebGlVertexArrayObject,
};

use crate::camera::Camera;
use crate::color::Color;
use batch::{Batch, INSTANCE_BYTES, SPRITES_MAX, Shape};
use context::{Program, Wrap, bind_texture};
use target::{Bloom, BloomPrograms, Target, bind_screen};
use text::{TextAtlas, TextSlot};

const SCREEN: &str = include_str!("shaders/screen.vert");

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectsLevel {
    /// Few particles, no bloom, one device pixel per CSS pixel.
    Low,
    /// No bloom.
    Medium,
    /// Everything.
    High,
}

/// What a game adds to the full renderer. By default nothing: then the sky is [`Cartridge::BACKGROUND`](crate::Cartridge::BACKGROUND).
#[derive(Debug, Default)]
pub struct Shaders {
    /// GLSL with the function `vec4 own_shape(int shape)`: the premultiplied color of the game's shapes, from
    /// [`Shape::own(0)`](crate::Shape::own) on. `v_uv` is the place in the quad, -1..=1; the shell's shader has the rest.
    pub shapes: Option<String>,
    /// GLSL with the function `vec4 own_texture()`, which paints the sampler `u_own` once; `v_uv` is the place, 0..=1.
    pub texture: Option<&'static str>,
    /// A fragment shader for what is behind everything; `u_view` is the camera's middle and half of what it shows, `u_number` is
    /// [`FullSurface::sky_number`](crate::FullSurface::sky_number), `u_sky` is a tile of clouds.
    pub sky: Option<&'static str>,
}

/// The GLSL of a game without shapes, and of one without a texture.
const NO_SHAPES: &str = "vec4 own_shape(int shape) { return vec4(0.0); }";
const NO_TEXTURE: &str = "vec4 own_texture() { return vec4(0.0); }";

/// Everything that lives on the GPU. A lost context takes it along; a new one is created when the browser restores it.
#[derive(Debug)]
pub(crate) struct Painter {
    gl: Gl,
    sprites: Program,
    /// The game's sky, or the color that stands for it.
    sky: Option<Program>,
    background: Color,
    bloom_programs: BloomPrograms,
    bloom: Option<Bloom>,
    buffer: WebGlBuffer,
    instances: WebGlVertexArrayObject,
    nothing: WebGlVertexArrayObject,
    clouds: WebGlTexture,
    own: WebGlTexture,
    text: TextAtlas,
    size: (i32, i32),
}

impl Painter {
    /// Opens WebGL on `canvas`, compiles the programs and paints the textures.
    ///
    /// # Errors
    /// The browser's or the driver's message.
    pub(crate) fn new(
        canvas: &HtmlCanvasElement,
        document: &Document,
        effects: EffectsLevel,
        (shaders, background): (&Shaders, Color),
    ) -> Result<Self, String> {
        let gl = context::open(canvas).ok_or("no WebGL 2")?;
        let own = shaders.shapes.as_deref().unwrap_or(NO_SHAPES);
        let fragment = format!("{}{}{own}", Shape::glsl(), include_str!("shaders/sprite.frag"));
        let uniforms = ["u_camera", "u_px", "u_time", "u_own", "u_sky", "u_text"];
        let sprites = Program::new(&gl, include_str!("shaders/sprite.vert"), &fragment, &uniforms)?;
        let sky = |source| Program::new(&gl, SCREEN, source, &["u_sky", "u_view", "u_number", "u_time"]);
        let sky = shaders.sky.map(sky).transpose()?;
        let bloom_programs = BloomPrograms::new(&gl, SCREEN)?;
        let nothing = gl.create_vertex_array().ok_or("no vertex array")?;
        gl.bind_vertex_array(Some(&nothing));
        let fine = effects > EffectsLevel::Low;
        let texture = shaders.texture.unwrap_or(NO_TEXTURE);
        let bake = format!("{}{texture}", include_str!("shaders/bake.frag"));
        let bake = Program::new(&gl, SCREEN, &bake, &["u_mode"])?;
        let clouds = baked(&gl, &bake, 0, if fine { (512, 512) } else { (256, 256) })?;
        let own = match (shaders.texture, fine) {
            (None, _) => (1, 1),
            (Some(_), true) => (2048, 1024),
            (Some(_), false) => (512, 256),
        };
        let own = baked(&gl, &bake, 1, own)?;
        let (buffer, instances) = instance_buffer(&gl)?;
        let text = TextAtlas::new(&gl, document)?;
        gl.blend_func(Gl::ONE, Gl::ONE_MINUS_SRC_ALPHA);
        Ok(Painter {
            gl,
            sprites,
            sky,
            background,
            bloom_programs,
            bloom: None,
            buffer,
            instances,
            nothing,
            clouds,
            own,
            text,
            size: (1, 1),
        })
    }

    #[must_use]
    pub(crate) fn is_lost(&self) -> bool {
        self.gl.is_context_lost()
    }

    /// Starts an image of `size` device pixels.
    ///
    /// # Errors
    /// The context is lost.
    pub(crate) fn begin(&mut self, size: (i32, i32), effects: EffectsLevel) -> Result<(), String> {
        self.text.begin_frame();
        let wanted = effects == EffectsLevel::High;
        if size != self.size || wanted != self.bloom.is_some() {
            if let Some(old) = self.bloom.take() {
                old.free(&self.gl);
            }
            if wanted {
                self.bloom = Some(Bloom::new(&self.gl, size)?);
            }
            self.size = size;
        }
        Ok(())
    }

    /// A text's slot in the atlas, for a sprite of shape [`Shape::TEXT`] in this image.
    pub(crate) fn text(&mut self, text: &str) -> Option<TextSlot> {
        self.text.slot(&self.gl, text)
    }

    /// Draws the sky and then the sprites. `sky_number` is for the game's sky, `seconds` drives animations.
    pub(crate) fn draw(&mut self, batch: &Batch, camera: &Camera, sky_number: f32, seconds: f64) {
        let gl = &self.gl;
        // Shaders get the time modulo one hour: a larger number would lose the fractions that motion needs.
        let time = (seconds % 3600.0) as f32;
        match &self.bloom {
            Some(bloom) => bloom.picture.bind(gl),
            None => bind_screen(gl, self.size),
        }
        gl.disable(Gl::BLEND);
        gl.bind_vertex_array(Some(&self.nothing));
        if let Some(sky) = &self.sky {
            sky.bind(gl);
            bind_texture(gl, 0, &self.clouds, sky.at("u_sky"));
            gl.uniform4f(sky.at("u_view"), camera.at.x, camera.at.y, camera.half.x, camera.half.y);
            gl.uniform1f(sky.at("u_number"), sky_number);
            gl.uniform1f(sky.at("u_time"), time);
            gl.draw_arrays(Gl::TRIANGLES, 0, 3);
        } else {
            gl.clear_color(self.background.r, self.background.g, self.background.b, 1.0);
            gl.clear(Gl::COLOR_BUFFER_BIT);
        }

        gl.enable(Gl::BLEND);
        let count = self.upload(batch);
        self.sprites.bind(gl);
        let clip = Vec2::new(1.0, -1.0) / camera.half;
        gl.uniform4f(self.sprites.at("u_camera"), camera.at.x, camera.at.y, clip.x, clip.y);
        gl.uniform1f(self.sprites.at("u_px"), camera.pixel());
        gl.uniform1f(self.sprites.at("u_time"), time);
        bind_texture(gl, 0, &self.own, self.sprites.at("u_own"));
        bind_texture(gl, 1, &self.clouds, self.sprites.at("u_sky"));
        bind_texture(gl, 2, self.text.texture(), self.sprites.at("u_text"));
        gl.bind_vertex_array(Some(&self.instances));
        gl.draw_arrays_instanced(Gl::TRIANGLE_STRIP, 0, 4, count);
        gl.bind_vertex_array(Some(&self.nothing));
        if let Some(bloom) = &self.bloom {
            gl.disable(Gl::BLEND);
            bloom.finish(gl, &self.bloom_programs, 1.0);
        }
    }

    /// Copies the sprites to the GPU and returns their number.
    fn upload(&self, batch: &Batch) -> i32 {
        let gl = &self.gl;
        gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&self.buffer));
        // Fresh storage for each image: the driver need not wait until the last one has been drawn from the old.
        gl.buffer_data_with_i32(Gl::ARRAY_BUFFER, (SPRITES_MAX * INSTANCE_BYTES) as i32, Gl::STREAM_DRAW);
        let mut end = 0;
        for layer in batch.layers() {
            let len = (SPRITES_MAX * INSTANCE_BYTES).saturating_sub(end).min(layer.len());
            gl.buffer_sub_data_with_i32_and_u8_array(Gl::ARRAY_BUFFER, end as i32, &layer[..len]);
            end += len;
        }
        (end / INSTANCE_BYTES) as i32
    }
}

/// Paints a texture once with the bake program, with mipmaps.
fn baked(gl: &Gl, bake: &Program, mode: i32, size: (i32, i32)) -> Result<WebGlTexture, String> {
    let target = Target::new(gl, size, Wrap::Repeat)?;
    // An earlier painter may have drawn in this context.
    gl.disable(Gl::BLEND);
    target.bind(gl);
    bake.bind(gl);
    gl.uniform1i(bake.at("u_mode"), mode);
    gl.draw_arrays(Gl::TRIANGLES, 0, 3);
    gl.bind_texture(Gl::TEXTURE_2D, Some(&target.texture));
    gl.generate_mipmap(Gl::TEXTURE_2D);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_MIN_FILTER, Gl::LINEAR_MIPMAP_LINEAR as i32);
    Ok(target.texture)
}

fn instance_buffer(gl: &Gl) -> Result<(WebGlBuffer, WebGlVertexArrayObject), String> {
    let buffer = gl.create_buffer().ok_or("no buffer")?;
    let array = gl.create_vertex_array().ok_or("no vertex array")?;
    gl.bind_vertex_array(Some(&array));
    gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&buffer));
    let stride = INSTANCE_BYTES as i32;
    for (index, kind, normalized, offset) in [
        (0, Gl::FLOAT, false, 0),
        (1, Gl::FLOAT, false, 16),
        (2, Gl::UNSIGNED_BYTE, true, 32),
        (3, Gl::UNSIGNED_BYTE, true, 36),
    ] {
        gl.enable_vertex_attrib_array(index);
        gl.vertex_attrib_pointer_with_i32(index, 4, kind, normalized, stride, offset);
        gl.vertex_attrib_divisor(index, 1);
    }
    gl.bind_vertex_array(None);
    Ok((buffer, array))
}
