//! The rink: boards with rounded corners, and two goals. Left is team 0's goal, right is team 1's.

use glam::Vec2;

use crate::rules::{
    BOARD_BOUNCE, CORNER, DISC, DISC_BOUNCE, GOAL_DEPTH, GOAL_HALF, HALF_LENGTH, HALF_WIDTH, NET_BOUNCE, POST, PUCK,
};

/// What something ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Boards,
    Post,
}

/// The middle of the goal that a team defends.
#[must_use]
pub fn goal_of(team: u8) -> Vec2 {
    Vec2::new(if team == 0 { -HALF_LENGTH } else { HALF_LENGTH }, 0.0)
}

/// Where the puck counts as in goal, and its net begins: three quarters of it are behind the line then.
const IN_GOAL: f32 = HALF_LENGTH + POST;

/// The team in whose goal the puck lies.
#[must_use]
pub fn in_goal_of(puck: Vec2) -> Option<u8> {
    (puck.x.abs() > IN_GOAL).then_some(u8::from(puck.x > 0.0))
}

/// The nearest point at which something of this radius is between the boards.
#[must_use]
pub fn between_boards(at: Vec2, radius: f32) -> Vec2 {
    let core = Vec2::new(HALF_LENGTH - CORNER, HALF_WIDTH - CORNER);
    let middle = at.clamp(-core, core);
    middle + (at - middle).clamp_length_max(CORNER - radius)
}

/// Keeps a disc between the boards and off the posts; gives the speed of the impact.
pub(crate) fn keep_disc(at: &mut Vec2, velocity: &mut Vec2) -> Option<(Obstacle, f32)> {
    let boards = keep_within(at, velocity, DISC, DISC_BOUNCE).map(|speed| (Obstacle::Boards, speed));
    let post = off_posts(at, velocity, DISC, DISC_BOUNCE).map(|speed| (Obstacle::Post, speed));
    post.or(boards)
}

/// The same for the puck, which may enter a goal.
pub(crate) fn keep_puck(at: &mut Vec2, velocity: &mut Vec2) -> Option<(Obstacle, f32)> {
    if at.x.abs() > IN_GOAL {
        return keep_in_net(at, velocity).map(|speed| (Obstacle::Boards, speed));
    }
    if at.y.abs() < GOAL_HALF && at.x.abs() > HALF_LENGTH - PUCK {
        return off_posts(at, velocity, PUCK, BOARD_BOUNCE).map(|speed| (Obstacle::Post, speed));
    }
    let boards = keep_within(at, velocity, PUCK, BOARD_BOUNCE).map(|speed| (Obstacle::Boards, speed));
    let post = off_posts(at, velocity, PUCK, BOARD_BOUNCE).map(|speed| (Obstacle::Post, speed));
    post.or(boards)
}

fn keep_within(at: &mut Vec2, velocity: &mut Vec2, radius: f32, bounce: f32) -> Option<f32> {
    let inside = between_boards(*at, radius);
    if inside == *at {
        return None;
    }
    let outward = (*at - inside).normalize_or_zero();
    *at = inside;
    reflect(velocity, -outward, bounce)
}

/// Sides and back of a net, which take the speed out of the puck.
fn keep_in_net(at: &mut Vec2, velocity: &mut Vec2) -> Option<f32> {
    let most = Vec2::new(HALF_LENGTH + GOAL_DEPTH - PUCK, GOAL_HALF - PUCK);
    let inside = at.clamp(-most, most);
    if inside == *at {
        return None;
    }
    let speed = velocity.length();
    *at = inside;
    *velocity *= NET_BOUNCE;
    Some(speed)
}

fn off_posts(at: &mut Vec2, velocity: &mut Vec2, radius: f32, bounce: f32) -> Option<f32> {
    let post = Vec2::new(HALF_LENGTH.copysign(at.x), GOAL_HALF.copysign(at.y));
    let away = *at - post;
    let distance = away.length();
    if distance >= radius + POST || distance == 0.0 {
        return None;
    }
    let normal = away / distance;
    *at = post + normal * (radius + POST);
    reflect(velocity, normal, bounce)
}

/// Turns a velocity away from a surface with this normal; gives the speed of the impact, if there is one.
fn reflect(velocity: &mut Vec2, normal: Vec2, bounce: f32) -> Option<f32> {
    let speed = -velocity.dot(normal);
    (speed > 0.0).then(|| {
        *velocity += normal * (speed * (1.0 + bounce));
        speed
    })
}
