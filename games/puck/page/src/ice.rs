//! The rink without anything that moves.

use std::f32::consts::{FRAC_PI_2, PI};

use broadside_client::{Color, Pen};
use broadside_puck::rules::{CORNER, GOAL_DEPTH, GOAL_HALF, HALF_LENGTH, HALF_WIDTH, POST};
use glam::Vec2;

pub(crate) const AROUND: Color = Color::hex(0x0b_1018);
pub(crate) const WORDS: Color = Color::hex(0x9f_b4c8);
const ICE: Color = Color::hex(0x1b_2a3c);
const BOARDS: Color = Color::hex(0xc9_d8e6);
const LINES: Color = Color::hex(0x3d_5670);
const RED: Color = Color::hex(0x8c_3f52);
/// Width of the boards.
const BOARD: f32 = 10.0;
/// Straight parts of a rounded corner.
const CORNER_STEPS: usize = 16;
/// On which side of the middle each corner is, in the order of their angles.
const CORNERS: [(f32, f32); 4] = [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)];

/// Draws the rink; a goal that was just scored lights up: its team's color, where, and how brightly.
pub(crate) fn draw(pen: &mut Pen<'_>, goal: Option<(u8, f32)>) {
    nets(pen, goal);
    sheet(pen);
    lines(pen);
    boards(pen);
}

fn boards(pen: &mut Pen<'_>) {
    for (number, (x, y)) in CORNERS.into_iter().enumerate() {
        let straight = Vec2::new(x * (HALF_LENGTH - CORNER), y * (HALF_WIDTH - CORNER));
        let place = |step: usize| {
            let turn = number as f32 + step as f32 / CORNER_STEPS as f32;
            straight + Vec2::from_angle(turn * FRAC_PI_2) * CORNER
        };
        for step in 0..CORNER_STEPS {
            pen.line(place(step), place(step + 1), BOARD, BOARDS);
        }
        // The ends of lines are soft.
        for step in 0..=CORNER_STEPS {
            pen.disc(place(step), BOARD / 2.0, BOARDS);
        }
        // The part of a short side that is beside the goal.
        let post = Vec2::new(x * HALF_LENGTH, y * GOAL_HALF);
        pen.line(Vec2::new(x * HALF_LENGTH, straight.y), post, BOARD, BOARDS);
        pen.disc(post, POST + 2.0, Color::hex(0xf2_5c54));
        pen.disc(post, POST - 3.0, Color::WHITE);
    }
    for y in [-HALF_WIDTH, HALF_WIDTH] {
        let end = Vec2::new(HALF_LENGTH - CORNER, y);
        pen.line(Vec2::new(-end.x, y), end, BOARD, BOARDS);
    }
}

fn sheet(pen: &mut Pen<'_>) {
    pen.rect(Vec2::ZERO, Vec2::new(HALF_LENGTH - CORNER, HALF_WIDTH), 0.0, ICE);
    pen.rect(Vec2::ZERO, Vec2::new(HALF_LENGTH, HALF_WIDTH - CORNER), 0.0, ICE);
    for (x, y) in CORNERS {
        pen.disc(Vec2::new(x * (HALF_LENGTH - CORNER), y * (HALF_WIDTH - CORNER)), CORNER, ICE);
    }
}

fn lines(pen: &mut Pen<'_>) {
    pen.line(Vec2::new(0.0, -HALF_WIDTH), Vec2::new(0.0, HALF_WIDTH), 6.0, RED);
    pen.ring(Vec2::ZERO, 120.0, 5.0, LINES);
    pen.disc(Vec2::ZERO, 9.0, RED);
    for side in [-1.0, 1.0] {
        let blue = side * HALF_LENGTH * 0.36;
        pen.line(Vec2::new(blue, -HALF_WIDTH), Vec2::new(blue, HALF_WIDTH), 8.0, LINES);
        for end in [-1.0, 1.0] {
            let spot = Vec2::new(side * HALF_LENGTH * 0.66, end * HALF_WIDTH * 0.52);
            pen.ring(spot, 78.0, 4.0, LINES.alpha(0.7));
            pen.disc(spot, 7.0, LINES);
        }
        let (goal, team) = (Vec2::new(side * HALF_LENGTH, 0.0), Color::of_team(u8::from(side > 0.0)));
        let middle = if side > 0.0 { PI } else { 0.0 };
        pen.arc(goal, GOAL_HALF * 1.15, 5.0, (middle - FRAC_PI_2, middle + FRAC_PI_2), team.alpha(0.55));
        pen.line(goal - Vec2::Y * GOAL_HALF, goal + Vec2::Y * GOAL_HALF, 6.0, team);
    }
}

fn nets(pen: &mut Pen<'_>, goal: Option<(u8, f32)>) {
    for team in [0u8, 1] {
        let side = if team == 0 { -1.0 } else { 1.0 };
        let (color, line) = (Color::of_team(team), side * HALF_LENGTH);
        let middle = Vec2::new(line + side * GOAL_DEPTH / 2.0, 0.0);
        let half = Vec2::new(GOAL_DEPTH / 2.0, GOAL_HALF);
        // The goal lights up in the color of those who scored.
        let lit = goal.filter(|(scorer, _)| *scorer != team);
        if let Some((scorer, bright)) = lit {
            pen.glow(middle, 420.0, Color::of_team(scorer).alpha(bright * 0.8));
        }
        pen.rect(middle, half, 0.0, color.mix(AROUND, 0.75));
        for step in 1..4 {
            let x = line + side * GOAL_DEPTH * step as f32 / 4.0;
            pen.line(Vec2::new(x, -GOAL_HALF), Vec2::new(x, GOAL_HALF), 1.5, color.alpha(0.35));
        }
        for step in -7..=7 {
            let y = GOAL_HALF * step as f32 / 8.0;
            pen.line(Vec2::new(line, y), Vec2::new(line + side * GOAL_DEPTH, y), 1.5, color.alpha(0.35));
        }
        let back = line + side * GOAL_DEPTH;
        for (from, to) in [
            (Vec2::new(line, -GOAL_HALF), Vec2::new(back, -GOAL_HALF)),
            (Vec2::new(back, -GOAL_HALF), Vec2::new(back, GOAL_HALF)),
            (Vec2::new(back, GOAL_HALF), Vec2::new(line, GOAL_HALF)),
        ] {
            pen.line(from, to, 5.0, color);
        }
        if let Some((scorer, bright)) = lit {
            pen.rect(middle, half, 0.0, Color::of_team(scorer).alpha(bright * 0.7));
        }
    }
}
