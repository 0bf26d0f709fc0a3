//! Textures as render targets, and the chain of them that adds bloom to bright parts.

use web_sys::{WebGl2RenderingContext as Gl, WebGlFramebuffer, WebGlTexture};

use super::context::{Program, Wrap, bind_texture, texture};

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) texture: WebGlTexture,
    frame: WebGlFramebuffer,
    /// Width and height in pixels.
    pub(crate) size: (i32, i32),
}

impl Target {
    /// A target of `size` pixels.
    ///
    /// # Errors
    /// The context is lost.
    pub(crate) fn new(gl: &Gl, size: (i32, i32), wrap: Wrap) -> Result<Self, String> {
        let size = (size.0.max(1), size.1.max(1));
        let texture = texture(gl, size.0, size.1, wrap)?;
        let frame = gl.create_framebuffer().ok_or("no framebuffer")?;
        gl.bind_framebuffer(Gl::FRAMEBUFFER, Some(&frame));
        gl.framebuffer_texture_2d(Gl::FRAMEBUFFER, Gl::COLOR_ATTACHMENT0, Gl::TEXTURE_2D, Some(&texture), 0);
        gl.bind_framebuffer(Gl::FRAMEBUFFER, None);
        Ok(Target { texture, frame, size })
    }

    /// Draws into it from here on.
    pub(crate) fn bind(&self, gl: &Gl) {
        gl.bind_framebuffer(Gl::FRAMEBUFFER, Some(&self.frame));
        gl.viewport(0, 0, self.size.0, self.size.1);
    }

    pub(crate) fn free(&self, gl: &Gl) {
        gl.delete_framebuffer(Some(&self.frame));
        gl.delete_texture(Some(&self.texture));
    }
}

/// Draws to the screen from here on.
pub(crate) fn bind_screen(gl: &Gl, size: (i32, i32)) {
    gl.bind_framebuffer(Gl::FRAMEBUFFER, None);
    gl.viewport(0, 0, size.0, size.1);
}

/// The picture, and blurred smaller copies of its bright parts that are added to it.
#[derive(Debug)]
pub(crate) struct Bloom {
    /// The picture is drawn into this.
    pub(crate) picture: Target,
    near: [Target; 2],
    far: [Target; 2],
}

#[derive(Debug)]
pub(crate) struct BloomPrograms {
    bright: Program,
    blur: Program,
    last: Program,
}

impl BloomPrograms {
    pub(crate) fn new(gl: &Gl, screen: &str) -> Result<Self, String> {
        let program = |fragment, uniforms: &[&'static str]| Program::new(gl, screen, fragment, uniforms);
        Ok(BloomPrograms {
            bright: program(include_str!("shaders/bright.frag"), &["u_from", "u_step"])?,
            blur: program(include_str!("shaders/blur.frag"), &["u_from", "u_step"])?,
            last: program(include_str!("shaders/final.frag"), &["u_from", "u_near", "u_far", "u_bloom"])?,
        })
    }
}

impl Bloom {
    /// A chain for a screen of `size` pixels.
    ///
    /// # Errors
    /// The context is lost.
    pub(crate) fn new(gl: &Gl, size: (i32, i32)) -> Result<Self, String> {
        let part = |share: i32| Target::new(gl, (size.0 / share, size.1 / share), Wrap::Clamp);
        Ok(Bloom { picture: part(1)?, near: [part(4)?, part(4)?], far: [part(16)?, part(16)?] })
    }

    /// Draws the picture and its bloom to the screen. Blending must be off.
    pub(crate) fn finish(&self, gl: &Gl, programs: &BloomPrograms, strength: f32) {
        programs.bright.bind(gl);
        self.pass(gl, &programs.bright, &self.picture, &self.near[0], |size| (1.0 / size.0, 1.0 / size.1));
        self.blur(gl, &programs.blur, &self.near);
        programs.blur.bind(gl);
        // The far copy starts from the near one, blurred again on its own coarse grid.
        self.pass(gl, &programs.blur, &self.near[0], &self.far[0], |size| (2.0 / size.0, 0.0));
        self.blur(gl, &programs.blur, &self.far);
        self.blur(gl, &programs.blur, &self.far);
        bind_screen(gl, self.picture.size);
        let last = &programs.last;
        last.bind(gl);
        bind_texture(gl, 0, &self.picture.texture, last.at("u_from"));
        bind_texture(gl, 1, &self.near[0].texture, last.at("u_near"));
        bind_texture(gl, 2, &self.far[0].texture, last.at("u_far"));
        gl.uniform1f(last.at("u_bloom"), strength);
        gl.draw_arrays(Gl::TRIANGLES, 0, 3);
    }

    fn blur(&self, gl: &Gl, program: &Program, pair: &[Target; 2]) {
        program.bind(gl);
        self.pass(gl, program, &pair[0], &pair[1], |size| (1.0 / size.0, 0.0));
        self.pass(gl, program, &pair[1], &pair[0], |size| (0.0, 1.0 / size.1));
    }

    fn pass(&self, gl: &Gl, program: &Program, from: &Target, to: &Target, step: impl Fn((f32, f32)) -> (f32, f32)) {
        to.bind(gl);
        bind_texture(gl, 0, &from.texture, program.at("u_from"));
        let (x, y) = step((from.size.0 as f32, from.size.1 as f32));
        gl.uniform2f(program.at("u_step"), x, y);
        gl.draw_arrays(Gl::TRIANGLES, 0, 3);
    }

    pub(crate) fn free(&self, gl: &Gl) {
        for target in [&self.picture, &self.near[0], &self.near[1], &self.far[0], &self.far[1]] {
            target.free(gl);
        }
    }
}
