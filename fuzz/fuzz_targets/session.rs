//! Frames at a session, in any state: each ends in an output or a close, and nothing follows a close.
#![no_main]

use broadside_server::session::{Session, SessionOutput};
use broadside_shared::arena::Arena;
use broadside_shared::game::PlayerId;
use broadside_shared::protocol::message::{Outcome, RoomId, ServerMsg};
use broadside_shared::protocol::room::{Mode, Role};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut session = Session::<Arena>::new(MonoTime(0));
    let mut closed = false;
    for (step, frame) in frames.iter().enumerate() {
        session.handle_frame(MonoTime(step as u64 * 1000), frame);
        while let Some(output) = session.poll_output() {
            assert!(!closed, "nothing follows a close");
            match output {
                SessionOutput::Hello(resume) => {
                    let token = resume.map_or(Token { session: 1, signature: [0; 16] }, |resume| resume.token);
                    session.handle_welcome(token, None);
                }
                SessionOutput::Request(id, _) => session.handle_outcome(id, Outcome::Done),
                SessionOutput::Join(..) => session.handle_seated(&ServerMsg::Joined {
                    room: RoomId(1),
                    player: PlayerId(0),
                    tick_hz: 60,
                    snapshot_every: 2,
                    tick_zero: MonoTime(0),
                    mode: Mode::Open,
                    role: Role::Play,
                }),
                SessionOutput::Close(_) => closed = true,
                SessionOutput::Send(_) | SessionOutput::Ping | SessionOutput::Input(_) => {}
            }
        }
    }
});
